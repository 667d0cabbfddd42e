package mapping;

import ca.uhn.fhir.rest.annotation.Operation;
import ca.uhn.fhir.rest.server.exceptions.InvalidRequestException;
import ca.uhn.fhir.rest.server.exceptions.UnprocessableEntityException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.hl7.fhir.r4.model.StructureMap;

/** StructureMaps, and the operation that runs them. Its errors are those of Matchbox 4. */
final class Maps extends Definitions<StructureMap> {
    Maps(Engine engine, boolean areUploadsAllowed) {
        super(StructureMap.class, engine, areUploadsAllowed);
    }

    @Operation(name = "$transform", manualRequest = true, manualResponse = true)
    public void transform(HttpServletRequest request, HttpServletResponse response) throws IOException {
        byte[] input = request.getInputStream().readAllBytes();
        String source = request.getParameter("source");
        if (source == null) {
            throw new InvalidRequestException(
                    "Expecting a Parameters resource in the body if no source query parameter is provided");
        }
        if (!engine.hasMap(source)) {
            throw new UnprocessableEntityException("Map not available with canonical url " + source);
        }
        // What it throws HAPI answers with status 500 and an OperationOutcome that has the exception.
        byte[] result = engine.transform(source, input);
        response.setContentType("application/fhir+json");
        response.getOutputStream().write(result);
    }
}
