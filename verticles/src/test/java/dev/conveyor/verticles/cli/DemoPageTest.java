package dev.conveyor.verticles.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.PrintWriter;
import java.io.Writer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** The demo that is kept running, as one watches it. */
class DemoPageTest {

  /** What the demo prints; knows when a text has come. */
  private static final class Printed extends Writer {

    private final StringBuilder text = new StringBuilder();
    private final CompletableFuture<String> page = new CompletableFuture<>();
    private final CompletableFuture<Void> kept = new CompletableFuture<>();

    @Override
    public synchronized void write(char[] chars, int from, int length) {
      text.append(chars, from, length);
      Matcher url = Pattern.compile("live page: (http://\\S+/)\\s").matcher(text);
      if (url.find()) {
        page.complete(url.group(1));
      }
      if (text.indexOf("Ctrl-C ends it") >= 0) {
        kept.complete(null);
      }
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}

    @Override
    public synchronized String toString() {
      return text.toString();
    }
  }

  @Test
  void shouldShowThePicturesOnTheLivePageUntilItIsInterrupted(@TempDir Path output)
      throws Exception {
    Printed printed = new Printed();
    FutureTask<Integer> demo =
        new FutureTask<>(
            () ->
                new CommandLine(new DemoCommand())
                    .setOut(new PrintWriter(printed, true))
                    .execute(
                        "--home",
                        TestHome.REAL.toString(),
                        "--images=4",
                        "--rounds=0",
                        "--fps=50",
                        "--keep",
                        "--output",
                        output.toString()));
    Thread thread = new Thread(demo, "demo");
    thread.start();
    String page = printed.page.get(60, TimeUnit.SECONDS);
    printed.kept.get(60, TimeUnit.SECONDS);

    HttpClient client = HttpClient.newHttpClient();
    HttpResponse<byte[]> picture =
        client.send(request(page + "page/picture.jpg"), HttpResponse.BodyHandlers.ofByteArray());
    assertThat(picture.statusCode()).isEqualTo(200);
    assertThat(ImageIO.read(new ByteArrayInputStream(picture.body())).getWidth()).isEqualTo(640);
    HttpResponse<String> html = client.send(request(page), HttpResponse.BodyHandlers.ofString());
    assertThat(html.body()).contains("<html");

    thread.interrupt();
    assertThat(demo.get(60, TimeUnit.SECONDS)).as(printed::toString).isZero();
    assertThat(printed.toString()).endsWith("server stopped%n".formatted());
  }

  private static HttpRequest request(String uri) {
    return HttpRequest.newBuilder(URI.create(uri)).timeout(Duration.ofSeconds(60)).build();
  }
}
