// Runs a class from jars within an archive, also within an archive in it, as Spring Boot and
// servers do: nothing is unpacked on the disk. Usage: Nested CLASS, from the archive itself, or
// Nested CLASS ARCHIVE.
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLConnection;
import java.net.URLStreamHandler;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.Map;
import java.util.jar.JarFile;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

public final class Nested extends ClassLoader {
    private final Map<String, byte[]> entries = new HashMap<>();

    private Nested(String archive) throws IOException {
        super(ClassLoader.getPlatformClassLoader());
        // It stays open, as a server's do.
        JarFile file = new JarFile(archive);
        for (ZipEntry entry : Collections.list(file.entries())) {
            add(entry.getName(), file.getInputStream(entry).readAllBytes());
        }
    }

    private void add(String name, byte[] content) throws IOException {
        if (!name.endsWith(".jar") && !name.endsWith(".war")) {
            entries.putIfAbsent(name.replaceFirst("^(BOOT-INF|WEB-INF)/classes/", ""), content);
            return;
        }
        try (ZipInputStream inner = new ZipInputStream(new ByteArrayInputStream(content))) {
            for (ZipEntry entry = inner.getNextEntry(); entry != null; entry = inner.getNextEntry()) {
                add(entry.getName(), inner.readAllBytes());
            }
        }
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        byte[] content = entries.get(name.replace('.', '/') + ".class");
        if (content == null) {
            throw new ClassNotFoundException(name);
        }
        return defineClass(name, content, 0, content.length);
    }

    @Override
    protected URL findResource(String name) {
        byte[] content = entries.get(name);
        if (content == null) {
            return null;
        }
        try {
            return new URL("nested", "", 0, name, new URLStreamHandler() {
                @Override
                protected URLConnection openConnection(URL url) {
                    return new URLConnection(url) {
                        @Override
                        public void connect() {}

                        @Override
                        public InputStream getInputStream() {
                            return new ByteArrayInputStream(content);
                        }
                    };
                }
            });
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    @Override
    protected Enumeration<URL> findResources(String name) {
        URL found = findResource(name);
        return found == null ? Collections.emptyEnumeration() : Collections.enumeration(Collections.singleton(found));
    }

    public static void main(String[] args) throws Exception {
        String own = Nested.class.getProtectionDomain().getCodeSource().getLocation().getPath();
        Nested loader = new Nested(args.length > 1 ? args[1] : own);
        Thread.currentThread().setContextClassLoader(loader);
        loader.loadClass(args[0]).getMethod("main", String[].class).invoke(null, (Object) new String[0]);
    }
}
