package dev.conveyor.verticles.bench.suite;

import dev.conveyor.verticles.bench.host.ProcFs;
import dev.conveyor.verticles.bench.load.InferPayload;
import dev.conveyor.verticles.bench.load.LoadPattern;
import dev.conveyor.verticles.bench.load.LoadPlan;
import dev.conveyor.verticles.bench.load.LoadPoint;
import dev.conveyor.verticles.bench.load.Payloads;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What it costs to chain models inside the server.
 *
 * <p>Not thread-safe: owned by the thread that runs the suite.
 */
final class PipelinesSuite implements Suite {

  private static final int CONCURRENCY = 32;
  private static final int[] IN_FLIGHT = {32, 64, 128};
  private static final String PAIR = "pair";
  private static final String TAGGER = "tagger";
  private static final String CLASSIFIER = "squeezenet_on_tensors";
  private static final List<String> TWINS = List.of("identity_a", "identity_b");

  private final Lab lab;
  private final SuiteServer server = new SuiteServer(this::start);

  PipelinesSuite(Lab lab) {
    this.lab = lab;
  }

  @Override
  public List<SuiteRow> rows() {
    List<SuiteRow> rows = new ArrayList<>(chains());
    rows.addAll(new StreamsRows(lab).rows());
    return rows;
  }

  private List<SuiteRow> chains() {
    return List.of(
        new SuiteRow(
            "ensemble of two identity models: rate / rate of the slower alone",
            Target.atLeast(0.80, ""),
            this::pair),
        new SuiteRow(
            "ensemble of decode + squeezenet + top-k: rate per CPU second / that of decode +"
                + " squeezenet alone",
            Target.atLeast(0.95, ""),
            this::tagger),
        new SuiteRow(
            "bytes copied per request between the steps of an ensemble",
            Target.atMost(0, ""),
            this::copies),
        new SuiteRow(
            "faces found by the pipeline: least IoU with the steps by hand",
            Target.atLeast(0.99, ""),
            () -> new FacesRow(lab).measure()),
        new SuiteRow(
            "8K in tiles: pixels beyond what the tiles that cover them say",
            Target.atMost(0, ""),
            () -> new TilesRow(lab).measure()),
        new SuiteRow(
            "decode + resize per CPU second / plain OpenCV loop",
            Target.atLeast(0.95, ""),
            () -> new DecodeRow(lab).measure()),
        new SuiteRow(
            "a model on one thread while images wait to be decoded: rate / its rate alone",
            Target.atLeast(0.80, ""),
            () -> new CoresRow(lab).measure()));
  }

  /**
   * What a model and what a chain can answer is what each answers with as many requests in flight
   * as suit it best. A chain has two batches under way where a model has one, so that a number that
   * keeps the model busy leaves the chain waiting.
   */
  private Measured pair() throws Exception {
    try (HttpLoad load = HttpLoad.on(lab, server.get())) {
      List<String> models = List.of(TWINS.get(0), TWINS.get(1), PAIR);
      Settling unused = load.settle(TWINS.get(0), CONCURRENCY);
      Settling settling = load.settle(PAIR, CONCURRENCY);
      double[] best = new double[models.size()];
      StringBuilder all = new StringBuilder();
      for (int inFlight : IN_FLIGHT) {
        List<Turns.Side> sides = new ArrayList<>();
        for (String model : models) {
          sides.add(side(load, model, inFlight));
        }
        List<Turns.Amount> rates = Turns.run(lab, sides);
        all.append(String.format(Locale.ROOT, "; %d:", inFlight));
        for (int i = 0; i < best.length; i++) {
          double rate = rates.get(i).rate();
          best[i] = Math.max(best[i], rate);
          all.append(String.format(Locale.ROOT, " %,.0f", rate));
        }
      }
      return new Measured(
          best[2] / Math.min(best[0], best[1]),
          String.format(
              Locale.ROOT,
              "%s, binary FP32 [1,16], client on the same cores, %d windows each by turns; answers"
                  + " per second of either model alone and of both in an ensemble, by requests in"
                  + " flight, of which the best counts%s; %s",
              load.client(),
              Turns.ROUNDS,
              all,
              settling.how()));
    }
  }

  private static Turns.Side side(HttpLoad load, String model, int inFlight) {
    return (warmup, duration) -> {
      HttpLoad.Figures figures =
          load.measure(List.of(model), inFlight, warmup, duration).models().get(0);
      return new Turns.Amount(figures.requests(), figures.seconds());
    };
  }

  private Measured tagger() throws Exception {
    try (HttpLoad load = HttpLoad.on(lab, server.get())) {
      Turns.Side alone = perCpuSecond(load, "squeezenet");
      Turns.Side behind = perCpuSecond(load, TAGGER);
      Settling settling =
          Settling.await(
              length -> {
                Turns.Amount unused = behind.measure(Duration.ZERO, length);
              },
              server.get().compiler(),
              lab.warmup());
      List<Turns.Amount> sides = Turns.run(lab, List.of(alone, behind));
      double stage = sides.get(0).rate();
      double chained = sides.get(1).rate();
      return new Measured(
          chained / stage,
          String.format(
              Locale.ROOT,
              "own client, 8 in flight, the JPEGs of the test data, %d windows each by turns; decode"
                  + " + squeezenet as one model: %.1f per CPU second; decode, squeezenet on tensors"
                  + " and top-k, an ensemble of three steps: %.1f; %s",
              Turns.ROUNDS,
              stage,
              chained,
              settling.how()));
    }
  }

  private Turns.Side perCpuSecond(HttpLoad load, String model) throws Exception {
    Path images = lab.modelFile("squeezenet.onnx").resolveSibling("../images").normalize();
    List<InferPayload> payloads =
        Payloads.images(
            model, load.driver().inputs(model), List.of(), 1, Payloads.readImages(images));
    ServerProcess measured = server.get();
    return (warmup, duration) -> {
      LoadPoint point =
          load.driver()
              .run(
                  List.of(load.driver().lane(model, payloads)),
                  new LoadPlan(
                      new LoadPattern.Closed(8),
                      warmup,
                      duration,
                      measured.cpu(),
                      ProcFs.ownCpu(),
                      1));
      if (point.failures() > 0) {
        throw new CannotMeasureException("requests failed: " + point.errors());
      }
      return new Turns.Amount(point.inferences(), HttpLoad.required(point.serverCpuSeconds()));
    };
  }

  private Measured copies() throws Exception {
    try (HttpLoad load = HttpLoad.on(lab, server.get())) {
      double requests = load.measure(List.of(PAIR), CONCURRENCY).models().get(0).requests();
      requests += perCpuSecond(load, TAGGER).measure(lab.warmup(), lab.duration()).done();
      String metrics = server.get().metrics();
      double copied = 0;
      StringBuilder all = new StringBuilder();
      for (String ensemble : List.of(PAIR, TAGGER)) {
        double handedOn = counter(metrics, "conveyor_ensemble_handed_on_bytes_total", ensemble);
        double here = counter(metrics, "conveyor_ensemble_copied_bytes_total", ensemble);
        if (handedOn <= 0) {
          throw new CannotMeasureException("nothing was handed on in " + ensemble);
        }
        copied += here;
        all.append(
            String.format(
                Locale.ROOT,
                "; %s: %,.0f bytes handed on, %,.0f copied",
                ensemble,
                handedOn,
                here));
      }
      return new Measured(
          copied / requests,
          "a model's batch, or a step, has its input where the step before wrote it, or it is copied"
              + all
              + "; gathering a batch is not counted");
    }
  }

  private static double counter(String metrics, String name, String ensemble) {
    Matcher line =
        Pattern.compile(name + "\\{model=\"" + ensemble + "\"[^}]*} (\\S+)").matcher(metrics);
    if (!line.find()) {
      throw new CannotMeasureException("the metrics have no " + name + " of " + ensemble);
    }
    return Double.parseDouble(line.group(1));
  }

  private ServerProcess start() throws Exception {
    TestRepository repository = lab.repository();
    for (String twin : TWINS) {
      repository.add(
          twin,
          lab.modelFile("identity.onnx"),
          TestRepository.config(64, 1, 1).put("dynamic_batching", new JsonObject()));
    }
    repository.add(
        "squeezenet",
        lab.modelFile("squeezenet.onnx"),
        PipelineConfigs.images(TestRepository.config(8, lab.cores(), 1), "data_0", 224, 224)
            .put("dynamic_batching", new JsonObject()));
    repository.addConfig(PAIR, PipelineConfigs.pair(TWINS));
    repository.add(
        CLASSIFIER,
        lab.modelFile("squeezenet.onnx"),
        TestRepository.config(8, lab.cores(), 1).put("dynamic_batching", new JsonObject()));
    repository.addConfig(TAGGER, PipelineConfigs.tagger(CLASSIFIER));
    return lab.startServer(repository, List.of());
  }

  @Override
  public void close() {
    server.close();
    lab.close();
  }
}
