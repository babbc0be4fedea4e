package dev.conveyor.verticles.page;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The page in a real browser; skipped when none is installed. */
final class LivePageBrowserTest {

  private static final String HOSTILE = "<img src=x onerror=\"document.title='owned'\">";
  private static final String ROW = "document.querySelectorAll('#models tbody tr')[0]";

  private final Vertx vertx = Vertx.vertx();
  private final Source source = new Source();
  private final LivePage page = new LivePage(source, 50);
  private Browser browser;
  private String deployment;

  @BeforeEach
  void open() throws Exception {
    browser = Browser.start(vertx);
    browser.open("http://127.0.0.1:" + serve() + "/");
    browser.waitUntil("document.documentElement.dataset.events >= 2");
  }

  @AfterEach
  void close() {
    if (browser != null) {
      browser.close();
    }
    vertx.close().await();
  }

  @Test
  void shouldShowModelsAndNewFiguresAsTheyCome() {
    assertThat(text(ROW + ".cells[0]")).isEqualTo("texturesv3");
    assertThat(text(ROW + ".cells[1]")).isEqualTo("ready");
    assertThat(text("document.querySelector('.device h3')")).contains("CPU", "2 cores");

    assertThat(text(ROW + ".cells[10]")).isEqualTo("99.9 %");
    assertThat(browser.evaluate(ROW + ".cells[10].title")).isEqualTo("Objective: 20.0 ms");

    source.perSecond = 4321;
    browser.waitUntil(ROW + ".cells[4].textContent === '4,321'");
    browser.waitUntil("document.getElementById('total-rate').textContent === '4,321'");
    assertThat(browser.evaluate(ROW + ".querySelector('.spark .line').getAttribute('d').length"))
        .asInstanceOf(InstanceOfAssertFactories.INTEGER)
        .isGreaterThan(20);
  }

  @Test
  void shouldShowHostileNamesAsTextAndKeepThePolicy() {
    source.name = HOSTILE;
    browser.waitUntil("document.querySelector('#models tbody').textContent.includes('<img')");
    assertThat(browser.evaluate("document.querySelectorAll('#models img').length")).isEqualTo(0);
    assertThat(browser.evaluate("document.title")).isEqualTo("Conveyor");
  }

  @Test
  void shouldDrawWhatBatchesCost() {
    assertThat(browser.evaluate("document.getElementById('costs-section').hidden")).isEqualTo(true);
    source.costs =
        new JsonArray()
            .add(
                new JsonObject()
                    .put("name", HOSTILE)
                    .put("version", "3")
                    .put("device", "CPU")
                    .put("batches", 7)
                    .put("medianError", 0.0214)
                    .put("underP99", 0.985)
                    .put(
                        "sizes",
                        new JsonArray().add(size(1, 2.0)).add(size(8, 9.0)).add(notRunYet(16))));

    browser.waitUntil("document.querySelectorAll('#costs circle').length === 2");
    assertThat(text("document.querySelector('#costs p')"))
        .isEqualTo(
            "Half of the last predictions within 2.1 %, 98.5 % of the batches under their p99");
    assertThat(text("document.querySelector('#costs h3')")).startsWith("<img").endsWith("on CPU");
    assertThat(browser.evaluate("document.querySelector('#costs .line').getTotalLength() > 50"))
        .isEqualTo(true);

    source.costs = new JsonArray();
    browser.waitUntil("document.getElementById('costs-section').hidden");
    assertThat(browser.evaluate("document.querySelectorAll('.cost').length")).isEqualTo(0);
  }

  @Test
  void shouldShowWhatThePictureSaysOnce() {
    page.show(new byte[] {1}, HOSTILE);

    browser.waitUntil("!document.getElementById('picture-section').hidden");
    assertThat(browser.evaluate("document.querySelector('#picture img').alt")).isEqualTo(HOSTILE);
    assertThat(text("document.getElementById('picture')")).isEmpty();

    page.show(new byte[] {2}, "b.jpg: pass");
    browser.waitUntil("document.querySelector('#picture img').alt === 'b.jpg: pass'");
    assertThat(browser.evaluate("document.querySelectorAll('#picture img').length")).isEqualTo(1);
  }

  private static JsonObject notRunYet(int items) {
    return size(items, 20.0).put("samples", 0).put("measuredMs", 0.0);
  }

  private static JsonObject size(int items, double ms) {
    return new JsonObject()
        .put("items", items)
        .put("samples", 5)
        .put("measuredMs", ms)
        .put("predictedMs", ms)
        .put("p99Ms", 1.2 * ms);
  }

  @Test
  void shouldSayThatTheServerIsLostAndComeBackByItself() {
    vertx.undeploy(deployment).await();
    browser.waitUntil("document.documentElement.dataset.connection === 'lost'");
    assertThat(browser.evaluate("document.getElementById('lost').hidden")).isEqualTo(false);

    source.perSecond = 99;
    deployPage();
    browser.waitUntil("document.documentElement.dataset.connection === 'live'");
    browser.waitUntil(ROW + ".cells[4].textContent === '99.0'");
  }

  private String text(String element) {
    return (String) browser.evaluate(element + ".textContent");
  }

  private int serve() {
    Router router = Router.router(vertx);
    page.mount(router);
    deployPage();
    return vertx
        .createHttpServer()
        .requestHandler(router)
        .listen(0, "127.0.0.1")
        .await()
        .actualPort();
  }

  private void deployPage() {
    deployment = vertx.deployVerticle(page).await();
  }

  private static final class Source implements PageSource {
    volatile String name = "textures";
    volatile double perSecond = 10;
    volatile JsonArray costs = new JsonArray();

    @Override
    public JsonObject sample() {
      JsonObject model =
          new JsonObject()
              .put("name", name)
              .put("version", "3")
              .put("state", "READY")
              .put("reason", "")
              .put("perSecond", perSecond)
              .put("rate", perSecond)
              .put("p99", 1.5)
              .put("p99Ms", 1.5)
              .put("objectiveMs", 20)
              .put("inObjective", 0.999)
              .put("queued", 2);
      JsonObject device =
          new JsonObject()
              .put("name", "CPU")
              .put("kind", "CPU")
              .put("cores", 2)
              .put("busyFraction", 0.5)
              .put("memoryReservedBytes", 10)
              .put("memoryCapacityBytes", 100)
              .put("holders", new JsonArray());
      return new JsonObject()
          .put(
              "server",
              new JsonObject().put("version", "1").put("ready", true).put("uptimeSeconds", 1))
          .put("models", new JsonArray().add(model))
          .put("devices", new JsonArray().add(device))
          .put("costs", costs);
    }

    @Override
    public JsonObject history() {
      return new JsonObject()
          .put(
              "models",
              new JsonArray()
                  .add(
                      new JsonObject()
                          .put("name", "textures")
                          .put("version", "3")
                          .put("rates", new JsonArray().add(1).add(2))
                          .put("p99s", new JsonArray().add(-1).add(3))));
    }
  }
}
