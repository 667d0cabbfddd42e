package http;

import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;

/** Answers 401 to whoever does not send the one right Authorization header. */
final class Credentials extends HttpFilter {
    private final String scheme;
    private final byte[] expected;

    static Credentials basic(String userAndPassword) {
        byte[] plain = userAndPassword.getBytes(StandardCharsets.UTF_8);
        return new Credentials("Basic", Base64.getEncoder().encodeToString(plain));
    }

    static Credentials bearer(String token) {
        return new Credentials("Bearer", token);
    }

    private Credentials(String scheme, String credentials) {
        this.scheme = scheme;
        this.expected = credentials.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        String header = request.getHeader("Authorization");
        String start = scheme + " ";
        if (header != null
                && header.regionMatches(true, 0, start, 0, start.length())
                && MessageDigest.isEqual(
                        expected, header.substring(start.length()).trim().getBytes(StandardCharsets.UTF_8))) {
            chain.doFilter(request, response);
            return;
        }
        response.setStatus(401);
        response.setHeader("WWW-Authenticate", scheme + " realm=\"fhir\"");
        response.setContentType("application/fhir+json;charset=UTF-8");
        response.getWriter()
                .write("{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"error\",\"code\":\"login\","
                        + "\"diagnostics\":\"Authentication is required\"}]}");
    }
}
