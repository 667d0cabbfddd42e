package repository;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import http.Arguments;
import http.WebServer;
import java.util.Map;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.core.env.MapPropertySource;

/**
 * A FHIR R4 repository. {@code --database FOLDER/NAME} keeps its data in files, else they are in
 * memory; see {@link WebServer} for the other arguments.
 */
public final class RepositoryServer {
    private RepositoryServer() {}

    public static void main(String[] commandLine) throws Exception {
        Arguments arguments = new Arguments(commandLine);
        WebServer.endWithStandardInput(arguments);
        String database = arguments.text("database").map(path -> "file:" + path + ";WRITE_DELAY=0").orElse("mem:fhir");
        AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext();
        context.getEnvironment()
                .getPropertySources()
                .addFirst(new MapPropertySource("arguments", Map.of("database", database)));
        context.register(Configuration.class);
        context.refresh();
        WebServer.serve(server(context), arguments);
    }

    private static RestfulServer server(AnnotationConfigApplicationContext context) {
        RestfulServer server = new RestfulServer(context.getBean(FhirContext.class));
        server.registerProviders(context.getBean(ResourceProviderFactory.class).createProviders());
        server.registerProvider(context.getBean(IJpaSystemProvider.class));
        server.setPagingProvider(context.getBean(DatabaseBackedPagingProvider.class));
        server.setDefaultResponseEncoding(EncodingEnum.JSON);
        server.setServerConformanceProvider(new JpaCapabilityStatementProvider(
                server,
                context.getBean(IFhirSystemDao.class),
                context.getBean(JpaStorageSettings.class),
                context.getBean(ISearchParamRegistry.class),
                context.getBean("myJpaValidationSupportChain", IValidationSupport.class)));
        return server;
    }
}
