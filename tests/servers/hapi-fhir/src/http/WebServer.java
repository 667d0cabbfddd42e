package http;

import jakarta.servlet.Filter;
import jakarta.servlet.Servlet;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.util.Optional;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;

/**
 * Serves a servlet under {@code /fhir} on the loopback until standard input ends.
 *
 * <p>Arguments: {@code --port} (a free one when it is missing or 0), {@code --basic USER:PASSWORD} or
 * {@code --bearer TOKEN}: what clients must send, {@code --until started}: end then.
 */
public final class WebServer {
    private WebServer() {}

    /** The filters see requests first, in their order, but not before credentials are checked. */
    public static void serve(Servlet servlet, Arguments arguments, Filter... filters)
            throws LifecycleException, IOException {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(Files.createTempDirectory("tomcat").toString());
        Connector connector = new Connector();
        connector.setPort(arguments.number("port", 0));
        connector.setProperty("address", InetAddress.getLoopbackAddress().getHostAddress());
        tomcat.setConnector(connector);
        Context context = tomcat.addContext("", null);
        arguments.text("basic").ifPresent(credentials -> filter(context, Credentials.basic(credentials)));
        arguments.text("bearer").ifPresent(credentials -> filter(context, Credentials.bearer(credentials)));
        for (Filter filter : filters) {
            filter(context, filter);
        }
        Tomcat.addServlet(context, "fhir", servlet).setLoadOnStartup(1);
        context.addServletMappingDecoded("/fhir/*", "fhir");
        tomcat.start();
        if (connector.getLocalPort() < 0) {
            throw new IOException("cannot listen on port " + connector.getPort() + ": address in use");
        }
        System.out.println("listening on http://127.0.0.1:" + connector.getLocalPort() + "/fhir");
        if (arguments.text("until").equals(Optional.of("started"))) {
            System.exit(0);
        }
    }

    /** Ends this process when standard input does, at once; not when it ends by itself. */
    public static void endWithStandardInput(Arguments arguments) {
        if (arguments.text("until").isPresent()) {
            return;
        }
        Thread thread = new Thread(() -> {
            try {
                while (System.in.read() != -1) {}
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            } finally {
                Runtime.getRuntime().halt(0);
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    private static void filter(Context context, Filter filter) {
        FilterDef definition = new FilterDef();
        definition.setFilterName(filter.getClass().getName());
        definition.setFilter(filter);
        context.addFilterDef(definition);
        FilterMap map = new FilterMap();
        map.setFilterName(definition.getFilterName());
        map.addURLPattern("/*");
        context.addFilterMap(map);
    }
}
