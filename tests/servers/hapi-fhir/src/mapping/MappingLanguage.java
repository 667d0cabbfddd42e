package mapping;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Enumeration;
import org.hl7.fhir.convertors.factory.VersionConvertorFactory_40_50;
import org.hl7.fhir.r4.formats.JsonParser;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.OperationOutcome.IssueSeverity;
import org.hl7.fhir.r4.model.OperationOutcome.IssueType;
import org.hl7.fhir.r4.model.Resource;
import org.hl7.fhir.r5.model.StructureMap;

/** Takes maps in the FHIR Mapping Language ({@code text/fhir-mapping}) for StructureMaps. */
final class MappingLanguage extends HttpFilter {
    private final transient Engine engine;

    MappingLanguage(Engine engine) {
        this.engine = engine;
    }

    @Override
    protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        String type = request.getContentType();
        if (type == null || !type.startsWith("text/fhir-mapping")) {
            chain.doFilter(request, response);
            return;
        }
        String text = new String(request.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        StructureMap map;
        try {
            map = engine.parse(text);
        } catch (RuntimeException error) {
            OperationOutcome outcome = new OperationOutcome();
            outcome.addIssue()
                    .setSeverity(IssueSeverity.ERROR)
                    .setCode(IssueType.PROCESSING)
                    .setDiagnostics(error.toString());
            response.setStatus(500);
            response.setContentType("application/fhir+json");
            response.getOutputStream().write(json(outcome));
            return;
        }
        if (request.getMethod().equals("PUT")) {
            String path = request.getPathInfo();
            map.setId(path.substring(path.lastIndexOf('/') + 1));
        }
        chain.doFilter(new WithBody(request, json(VersionConvertorFactory_40_50.convertResource(map))), response);
    }

    private static byte[] json(Resource resource) throws IOException {
        return new JsonParser().composeBytes(resource);
    }

    /** The request with another body, which is FHIR JSON. */
    private static final class WithBody extends HttpServletRequestWrapper {
        private static final String TYPE = "application/fhir+json";
        private final byte[] body;

        WithBody(HttpServletRequest request, byte[] body) {
            super(request);
            this.body = body;
        }

        @Override
        public String getContentType() {
            return TYPE;
        }

        @Override
        public int getContentLength() {
            return body.length;
        }

        @Override
        public long getContentLengthLong() {
            return body.length;
        }

        @Override
        public String getHeader(String name) {
            return name.equalsIgnoreCase("Content-Type") ? TYPE : super.getHeader(name);
        }

        @Override
        public Enumeration<String> getHeaders(String name) {
            return name.equalsIgnoreCase("Content-Type")
                    ? Collections.enumeration(Collections.singleton(TYPE))
                    : super.getHeaders(name);
        }

        @Override
        public ServletInputStream getInputStream() {
            ByteArrayInputStream stream = new ByteArrayInputStream(body);
            return new ServletInputStream() {
                @Override
                public int read() {
                    return stream.read();
                }

                @Override
                public boolean isFinished() {
                    return stream.available() == 0;
                }

                @Override
                public boolean isReady() {
                    return true;
                }

                @Override
                public void setReadListener(ReadListener listener) {
                    throw new IllegalStateException("it is read at once");
                }
            };
        }
    }
}
