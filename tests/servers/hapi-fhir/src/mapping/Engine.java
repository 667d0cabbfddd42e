package mapping;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.ArrayList;
import java.util.List;
import org.hl7.fhir.convertors.factory.VersionConvertorFactory_40_50;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r5.context.SimpleWorkerContext;
import org.hl7.fhir.r5.elementmodel.Element;
import org.hl7.fhir.r5.elementmodel.JsonParser;
import org.hl7.fhir.r5.elementmodel.Manager;
import org.hl7.fhir.r5.elementmodel.Manager.FhirFormat;
import org.hl7.fhir.r5.formats.IParser.OutputStyle;
import org.hl7.fhir.r5.model.CanonicalResource;
import org.hl7.fhir.r5.model.Resource;
import org.hl7.fhir.r5.model.StructureDefinition;
import org.hl7.fhir.r5.model.StructureDefinition.StructureDefinitionKind;
import org.hl7.fhir.r5.model.StructureDefinition.TypeDerivationRule;
import org.hl7.fhir.r5.model.StructureMap;
import org.hl7.fhir.r5.model.StructureMap.StructureMapModelMode;
import org.hl7.fhir.r5.utils.structuremap.StructureMapUtilities;
import org.hl7.fhir.validation.TransformSupportServices;

/** HL7's mapping engine, which knows the definitions of FHIR R4 and what it is given. */
final class Engine {
    private final SimpleWorkerContext context;

    Engine() throws IOException {
        context = new SimpleWorkerContext.SimpleWorkerContextBuilder()
                .withAllowLoadingDuplicates(true)
                .fromNothing();
        read("/org/hl7/fhir/r4/model/profile/profiles-types.xml");
        read("/org/hl7/fhir/r4/model/profile/profiles-resources.xml");
    }

    private void read(String definitions) throws IOException {
        try (InputStream stream = Engine.class.getResourceAsStream(definitions)) {
            Bundle bundle = (Bundle) new org.hl7.fhir.r4.formats.XmlParser().parse(stream);
            for (Bundle.BundleEntryComponent entry : bundle.getEntry()) {
                add(VersionConvertorFactory_40_50.convertResource(entry.getResource()));
            }
        }
    }

    /** A map in the FHIR Mapping Language. */
    StructureMap parse(String map) {
        return new StructureMapUtilities(context).parse(map, "map");
    }

    /** Replaces the map, model or ConceptMap of the same url. */
    synchronized void replace(Resource resource) {
        String url = ((CanonicalResource) resource).getUrl();
        Resource old = context.fetchResource(resource.getClass(), url);
        if (old != null) {
            context.dropResource(old);
        }
        add(resource);
    }

    private void add(Resource resource) {
        if (resource instanceof StructureDefinition definition && !definition.hasSnapshot()) {
            makeSnapshot(definition);
        }
        if (resource instanceof CanonicalResource) {
            context.cacheResource(resource);
        }
    }

    /** For a logical model its elements, for a profile those of its type: enough for maps. */
    private void makeSnapshot(StructureDefinition definition) {
        if (definition.getDerivation() == TypeDerivationRule.CONSTRAINT) {
            definition.setSnapshot(
                    context.fetchTypeDefinition(definition.getType()).getSnapshot().copy());
            return;
        }
        for (var element : definition.getDifferential().getElement()) {
            var copy = element.copy();
            copy.getBase().setPath(copy.getPath()).setMin(copy.getMin()).setMax(copy.getMax());
            definition.getSnapshot().addElement(copy);
        }
    }

    boolean hasMap(String url) {
        return map(url) != null;
    }

    /** The result as JSON. */
    byte[] transform(String mapUrl, byte[] input) throws IOException {
        StructureMap map = map(mapUrl);
        StructureDefinition source = structure(map, StructureMapModelMode.SOURCE);
        JsonParser parser = new JsonParser(context);
        if (source.getKind() == StructureDefinitionKind.LOGICAL) {
            parser.setLogical(source);
        }
        Element element = parser.parseSingle(new ByteArrayInputStream(input), null);
        List<org.hl7.fhir.r5.model.Base> outputs = new ArrayList<>();
        StructureMapUtilities utilities =
                new StructureMapUtilities(context, new TransformSupportServices(outputs, new PrintWriter(Writer.nullWriter()), context));
        Element result = Manager.build(context, structure(map, StructureMapModelMode.TARGET));
        utilities.transform(null, element, map, result);
        ByteArrayOutputStream json = new ByteArrayOutputStream();
        Manager.compose(context, result, json, FhirFormat.JSON, OutputStyle.PRETTY, null);
        return json.toByteArray();
    }

    private StructureMap map(String url) {
        return context.fetchResource(StructureMap.class, url);
    }

    private StructureDefinition structure(StructureMap map, StructureMapModelMode mode) {
        String url = map.getStructure().stream()
                .filter(structure -> structure.getMode() == mode)
                .findFirst()
                .orElseThrow()
                .getUrl();
        return context.fetchResource(StructureDefinition.class, url);
    }
}
