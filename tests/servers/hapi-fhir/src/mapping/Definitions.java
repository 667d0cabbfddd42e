package mapping;

import ca.uhn.fhir.rest.annotation.Create;
import ca.uhn.fhir.rest.annotation.IdParam;
import ca.uhn.fhir.rest.annotation.OptionalParam;
import ca.uhn.fhir.rest.annotation.Read;
import ca.uhn.fhir.rest.annotation.ResourceParam;
import ca.uhn.fhir.rest.annotation.Search;
import ca.uhn.fhir.rest.annotation.Update;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.param.UriParam;
import ca.uhn.fhir.rest.server.IResourceProvider;
import ca.uhn.fhir.rest.server.exceptions.MethodNotAllowedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.hl7.fhir.convertors.factory.VersionConvertorFactory_40_50;
import org.hl7.fhir.r4.model.IdType;
import org.hl7.fhir.r4.model.MetadataResource;

/** Definitions of one type, which clients read and search, and may upload. */
class Definitions<T extends MetadataResource> implements IResourceProvider {
    private final Class<T> type;
    private final boolean areUploadsAllowed;
    private final Map<String, T> byUrl = new ConcurrentHashMap<>();
    protected final Engine engine;

    Definitions(Class<T> type, Engine engine, boolean areUploadsAllowed) {
        this.type = type;
        this.engine = engine;
        this.areUploadsAllowed = areUploadsAllowed;
    }

    @Override
    public Class<T> getResourceType() {
        return type;
    }

    @Create
    public MethodOutcome create(@ResourceParam T resource) {
        return keep(resource).setCreated(true);
    }

    @Update
    public MethodOutcome update(@IdParam IdType id, @ResourceParam T resource) {
        return keep(resource).setCreated(false);
    }

    /** As Matchbox has it: what has the url is replaced and keeps its id, else the url names it. */
    private MethodOutcome keep(T resource) {
        if (!areUploadsAllowed) {
            throw new MethodNotAllowedException("Creating conformance resources is only allowed in development mode,"
                    + " set matchbox.fhir.context.onlyOneEngine=true in application.yaml");
        }
        String url = resource.getUrl();
        if (url == null) {
            throw new ResourceNotFoundException("matchbox engine not found for url " + url);
        }
        T old = byUrl.get(url);
        if (old != null) {
            resource.setId(old.getIdElement().getIdPart());
        } else if (!resource.hasId()) {
            resource.setId(url.substring(url.lastIndexOf('/') + 1));
        }
        engine.replace(VersionConvertorFactory_40_50.convertResource(resource));
        byUrl.put(url, resource);
        return new MethodOutcome(resource.getIdElement()).setResource(resource);
    }

    @Read
    public T read(@IdParam IdType id) {
        return byUrl.values().stream()
                .filter(resource -> resource.getIdElement().getIdPart().equals(id.getIdPart()))
                .findFirst()
                .orElseThrow(() -> new ResourceNotFoundException(id));
    }

    @Search
    public List<T> search(@OptionalParam(name = "url") UriParam url) {
        return byUrl.values().stream()
                .filter(resource -> url == null || resource.getUrl().equals(url.getValue()))
                .toList();
    }
}
