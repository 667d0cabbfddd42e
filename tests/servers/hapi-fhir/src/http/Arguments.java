package http;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** The command line: pairs of {@code --name value}. */
public final class Arguments {
    private final Map<String, String> values = new HashMap<>();

    public Arguments(String[] arguments) {
        for (int i = 0; i < arguments.length; i += 2) {
            if (!arguments[i].startsWith("--") || i + 1 == arguments.length) {
                throw new IllegalArgumentException("expected --name value, not " + arguments[i]);
            }
            values.put(arguments[i].substring(2), arguments[i + 1]);
        }
    }

    public Optional<String> text(String name) {
        return Optional.ofNullable(values.get(name));
    }

    public int number(String name, int otherwise) {
        return text(name).map(Integer::parseInt).orElse(otherwise);
    }
}
