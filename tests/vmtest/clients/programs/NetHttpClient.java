import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/**
 * Java's new client: without a token, for one, and with it or again without. It offers HTTP/2 in
 * its first request, as it does by default.
 */
final class NetHttpClient {
  private static final HttpClient CLIENT = HttpClient.newHttpClient();

  private static String ask(String method, String path, String header, String value)
      throws InterruptedException {
    long timeout = Long.parseLong(System.getenv("IMDS_TIMEOUT_S"));
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(System.getenv("IMDS_URL") + path))
            .method(method, HttpRequest.BodyPublishers.noBody())
            .timeout(Duration.ofSeconds(timeout));
    if (header != null) {
      request.header(header, value);
    }
    try {
      HttpResponse<String> response =
          CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
      return response.statusCode() == 200 ? response.body() : null;
    } catch (IOException unanswered) {
      return null;
    }
  }

  public static void main(String[] arguments) throws InterruptedException {
    ask("GET", "/latest/meta-data/instance-id", null, null);
    String token = ask("PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60");
    String header = token == null ? null : "X-aws-ec2-metadata-token";
    ask("GET", "/latest/meta-data/instance-id", header, token);
  }
}
