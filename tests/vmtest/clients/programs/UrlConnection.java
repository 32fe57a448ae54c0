import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;

/** Java's old client: without a token, for one, and with it or again without. */
final class UrlConnection {
  private static String ask(String method, String path, String header, String value) {
    try {
      URI address = URI.create(System.getenv("IMDS_URL") + path);
      HttpURLConnection connection = (HttpURLConnection) address.toURL().openConnection();
      connection.setRequestMethod(method);
      connection.setReadTimeout(1000 * Integer.parseInt(System.getenv("IMDS_TIMEOUT_S")));
      if (header != null) {
        connection.setRequestProperty(header, value);
      }
      return new String(connection.getInputStream().readAllBytes());
    } catch (IOException refused) {
      return null;
    }
  }

  public static void main(String[] arguments) {
    ask("GET", "/latest/meta-data/instance-id", null, null);
    String token = ask("PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60");
    String header = token == null ? null : "X-aws-ec2-metadata-token";
    ask("GET", "/latest/meta-data/instance-id", header, token);
  }
}
