package mapping;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.RestfulServer;
import http.Arguments;
import http.WebServer;
import java.util.Optional;
import org.hl7.fhir.r4.model.ConceptMap;
import org.hl7.fhir.r4.model.StructureDefinition;

/**
 * What mediators use of Matchbox, on the mapping engine that it is built on: maps and models are
 * uploaded, and {@code StructureMap/$transform} runs them. {@code --uploads no} forbids uploads, as
 * Matchbox does outside of its development mode; see {@link WebServer} for the other arguments.
 */
public final class MappingServer {
    private MappingServer() {}

    public static void main(String[] commandLine) throws Exception {
        Arguments arguments = new Arguments(commandLine);
        WebServer.endWithStandardInput(arguments);
        boolean areUploadsAllowed = !arguments.text("uploads").equals(Optional.of("no"));
        Engine engine = new Engine();
        RestfulServer server = new RestfulServer(FhirContext.forR4Cached());
        server.setDefaultResponseEncoding(EncodingEnum.JSON);
        server.registerProviders(
                new Maps(engine, areUploadsAllowed),
                new Definitions<>(StructureDefinition.class, engine, areUploadsAllowed),
                new Definitions<>(ConceptMap.class, engine, areUploadsAllowed));
        WebServer.serve(server, arguments, new MappingLanguage(engine));
    }
}
