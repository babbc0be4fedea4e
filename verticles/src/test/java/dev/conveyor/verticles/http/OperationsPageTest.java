package dev.conveyor.verticles.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Documentation;
import dev.conveyor.verticles.ServerEvent;
import dev.conveyor.verticles.isolation.Decision;
import dev.conveyor.verticles.page.LivePage;
import dev.conveyor.verticles.page.PageSource;
import dev.conveyor.verticles.server.TestModels;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Future;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Route;
import io.vertx.ext.web.Router;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The page for operators has every endpoint, metric and event that the server has, and no other.
 */
final class OperationsPageTest {

  private static final Path METRICS =
      Path.of("src", "main", "java", "dev", "conveyor", "verticles", "metrics");

  /** A family's name, in the sources, in what is served and on the page. */
  private static final Pattern FAMILY = Pattern.compile("[\"`](?:nv|conveyor)_[a-z_]+[a-z][\"`]");

  private static final PageSource NOTHING =
      new PageSource() {
        @Override
        public JsonObject sample() {
          return new JsonObject();
        }

        @Override
        public JsonObject history() {
          return new JsonObject();
        }
      };

  @TempDir private static Path directory;

  @Test
  void shouldHaveEveryEndpoint() throws Exception {
    Set<String> documented =
        found(section("Endpoints"), Pattern.compile("`(?:GET|POST|DELETE) /[^` ?]*"));
    documented.removeIf(endpoint -> endpoint.endsWith("/metrics")); // its port has no routes

    assertThat(documented).containsExactlyInAnyOrderElementsOf(endpoints());
  }

  @Test
  void shouldHaveEveryMetric() throws Exception {
    Set<String> families = new TreeSet<>();
    try (Stream<Path> sources = Files.list(METRICS)) {
      for (Path source : sources.toList()) {
        families.addAll(found(Files.readString(source), FAMILY));
      }
    }
    try (TestServer server = TestServer.start(models())) {
      String scrape = "\"" + scrape(server).replaceAll("\\s", "\"");
      families.addAll(found(scrape, FAMILY));
    }

    assertThat(found(section("Metrics"), FAMILY)).containsExactlyInAnyOrderElementsOf(families);
  }

  @Test
  void shouldHaveEveryEventAndDecision() {
    Pattern row = Pattern.compile("(?m)^\\| `[a-z_]+`");
    Set<String> events =
        Stream.of(ServerEvent.values()).map(ServerEvent::label).collect(Collectors.toSet());
    Set<String> decisions =
        Stream.of(Decision.values()).map(Decision::label).collect(Collectors.toSet());

    assertThat(found(section("Events"), row)).containsExactlyInAnyOrderElementsOf(events);
    assertThat(found(section("Decisions"), row)).containsExactlyInAnyOrderElementsOf(decisions);
  }

  /** Method and path of every route, with parameters in capitals, as people write them. */
  private static Collection<String> endpoints() throws Exception {
    AtomicReference<Router> routes = new AtomicReference<>();
    LivePage page = new LivePage(NOTHING);
    try (TestServer server = TestServer.start(models())) {
      HttpFrontEnd front =
          SecondFrontEnd.of(
              server,
              60,
              router -> {
                routes.set(router);
                page.mount(router);
              });
      Future<String> deployed = server.vertx().deployVerticle(front);
      TestServer.await(deployed.compose(server.vertx()::undeploy));
    }
    Set<String> endpoints = new TreeSet<>();
    for (Route route : routes.get().getRoutes()) {
      for (HttpMethod method : route.methods()) {
        endpoints.add(
            method
                + " "
                + Pattern.compile(":([a-z]+)")
                    .matcher(route.getPath())
                    .replaceAll(parameter -> parameter.group(1).toUpperCase(Locale.ROOT)));
      }
    }
    return endpoints;
  }

  private static TestModels models() {
    return new TestModels(directory).identity("x", DataType.FP32, "batch", 4);
  }

  private static String scrape(TestServer server) throws Exception {
    URI metrics = URI.create("http://127.0.0.1:" + server.server().metricsPort() + "/metrics");
    return HttpClient.newHttpClient()
        .send(HttpRequest.newBuilder(metrics).build(), BodyHandlers.ofString())
        .body();
  }

  /** Returns what is below a heading of the page, up to the next of its level. */
  private static String section(String heading) {
    String page = Documentation.page("operations.md");
    String mark = "\n## " + heading + "\n";
    assertThat(page).contains(mark);
    return page.substring(page.indexOf(mark) + mark.length()).split("\n## ", 2)[0];
  }

  private static Set<String> found(String text, Pattern pattern) {
    return pattern
        .matcher(text)
        .results()
        .map(match -> match.group().replaceAll("^\\| |[\"`]", ""))
        .collect(Collectors.toCollection(TreeSet::new));
  }
}
