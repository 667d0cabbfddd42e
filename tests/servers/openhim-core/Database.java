import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;

/** Serves an empty database on a free port of the loopback, which it prints, until its input ends. */
public class Database {
    public static void main(String[] arguments) throws Exception {
        System.out.println(new MongoServer(new MemoryBackend()).bind().getPort());
        while (System.in.read() != -1) {}
        Runtime.getRuntime().halt(0);
    }
}
