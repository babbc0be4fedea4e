package dev.conveyor.verticles.page;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.WebSocket;
import io.vertx.core.http.WebSocketClientOptions;
import io.vertx.core.http.WebSocketConnectOptions;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A headless Chromium, driven over its debugging protocol, so that a test waits for what the page
 * shows and not for time to pass.
 *
 * <p>Not thread-safe: owned by one test.
 */
final class Browser implements AutoCloseable {

  private static final List<String> NAMES =
      List.of("chromium", "chromium-browser", "google-chrome");

  private static final int CONNECT_ATTEMPTS = 50;

  private final Process process;
  private final WebSocket socket;
  private final Map<Integer, Promise<JsonObject>> pending = new HashMap<>();
  private int lastId;

  private Browser(Process process, WebSocket socket) {
    this.process = process;
    this.socket = socket;
    socket.textMessageHandler(this::onMessage);
  }

  /** Starts a browser; skips the test when none is installed. */
  static Browser start(Vertx vertx) throws IOException {
    Optional<Path> program = find();
    assumeTrue(program.isPresent(), () -> "no browser on the PATH: none of " + NAMES);
    // Not a temporary folder of the test: the browser's helpers write to it until after it ended.
    Path profile = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "browser");
    Process process =
        new ProcessBuilder(
                program.get().toString(),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "--window-size=1360,860",
                "about:blank")
            .redirectErrorStream(true)
            .start();
    URI endpoint = URI.create(endpoint(process));
    return new Browser(process, connect(vertx, endpoint, CONNECT_ATTEMPTS).await());
  }

  /**
   * Connects to the first page. A browser that has just announced its port may still replace that
   * page, and then hangs up during the handshake: the list is asked for again.
   */
  private static Future<WebSocket> connect(Vertx vertx, URI endpoint, int attempts) {
    Future<WebSocket> socket =
        vertx
            .createHttpClient()
            .request(HttpMethod.GET, endpoint.getPort(), endpoint.getHost(), "/json/list")
            .compose(request -> request.send())
            .compose(response -> response.body())
            .compose(
                targets ->
                    vertx
                        .createWebSocketClient(
                            new WebSocketClientOptions().setMaxMessageSize(32 << 20))
                        .connect(
                            new WebSocketConnectOptions()
                                .setAbsoluteURI(debuggerUrl(targets.toJsonArray()))));
    return attempts == 1
        ? socket
        : socket.recover(
            failure -> vertx.timer(100).compose(waited -> connect(vertx, endpoint, attempts - 1)));
  }

  private static String debuggerUrl(JsonArray targets) {
    return targets.stream()
        .map(JsonObject.class::cast)
        .filter(target -> "page".equals(target.getString("type")))
        .findFirst()
        .orElseThrow()
        .getString("webSocketDebuggerUrl");
  }

  /** Opens a page and waits until it is loaded. */
  void open(String url) {
    call("Page.navigate", new JsonObject().put("url", url)).await();
    evaluate(
        "new Promise((loaded) => document.readyState === 'complete'"
            + " ? loaded() : addEventListener('load', () => loaded()))");
  }

  /** Waits until an expression over the document holds, looking whenever the document changes. */
  void waitUntil(String expression) {
    String script =
        """
        new Promise((resolve) => {
          const look = () => { if (%s) { observer.disconnect(); resolve(true); } };
          const observer = new MutationObserver(look);
          observer.observe(document, {subtree: true, childList: true, characterData: true, attributes: true});
          look();
        })
        """
            .formatted(expression);
    evaluate(script);
  }

  /** Returns the value of an expression; waits for it if it is a promise. */
  Object evaluate(String expression) {
    JsonObject answer =
        call(
                "Runtime.evaluate",
                new JsonObject()
                    .put("expression", expression)
                    .put("awaitPromise", true)
                    .put("returnByValue", true))
            .await();
    if (answer.containsKey("exceptionDetails")) {
      throw new AssertionError(answer.encodePrettily());
    }
    return answer.getJsonObject("result").getValue("value");
  }

  Future<JsonObject> call(String method, JsonObject parameters) {
    Promise<JsonObject> answer = Promise.promise();
    int id;
    synchronized (pending) {
      id = ++lastId;
      pending.put(id, answer);
    }
    JsonObject message =
        new JsonObject().put("id", id).put("method", method).put("params", parameters);
    socket.writeTextMessage(message.encode()).onFailure(answer::tryFail);
    return answer.future();
  }

  @Override
  public void close() {
    process.destroy();
    process.onExit().join();
  }

  private void onMessage(String text) {
    JsonObject message = new JsonObject(text);
    Promise<JsonObject> answer;
    synchronized (pending) {
      answer = pending.remove(message.getInteger("id", 0));
    }
    if (answer == null) {
      return;
    }
    if (message.containsKey("error")) {
      answer.fail(message.getJsonObject("error").encode());
    } else {
      answer.complete(message.getJsonObject("result"));
    }
  }

  private static String endpoint(Process process) throws IOException {
    BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
    String mark = "DevTools listening on ";
    StringBuilder said = new StringBuilder();
    for (String line = output.readLine(); line != null; line = output.readLine()) {
      if (line.startsWith(mark)) {
        Thread drain = new Thread(() -> output.lines().forEach(ignored -> {}), "browser-output");
        drain.setDaemon(true);
        drain.start();
        return line.substring(mark.length());
      }
      said.append(line).append('\n');
    }
    throw new IOException("the browser ended: " + said);
  }

  private static Optional<Path> find() {
    String path = Optional.ofNullable(System.getenv("PATH")).orElse("");
    return NAMES.stream()
        .flatMap(name -> Stream.of(path.split(File.pathSeparator)).map(dir -> Path.of(dir, name)))
        .filter(file -> file.toFile().canExecute())
        .findFirst();
  }
}
