package dev.conveyor.verticles.bench.suite;

import dev.conveyor.models.tune.LoadShape;
import dev.conveyor.models.tune.Measurement;
import dev.conveyor.models.tune.Objective;
import dev.conveyor.models.tune.Prior;
import dev.conveyor.models.tune.SearchSpace;
import dev.conveyor.models.tune.Setting;
import dev.conveyor.models.tune.TuneResult;
import dev.conveyor.verticles.bench.tune.ServerMeter;
import dev.conveyor.verticles.bench.tune.TuneSession;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The tuner against running everything: the demonstration's classifier in two precisions, on a
 * small grid of settings.
 *
 * <p>Not thread-safe: owned by the suite. Both searches are made once, by the first row that wants
 * them. What each found is run again, in turns, and those runs are compared: the best of many noisy
 * runs looks better than it is.
 */
final class TunerRows {

  private static final String MODEL = "surface_classifier";
  private static final LoadShape LOAD = new LoadShape.Closed(8);
  private static final Objective OBJECTIVE = new Objective(500e6);
  private static final Duration SHORTEST = Duration.ofMillis(700);
  private static final int FINAL_TURNS = 5;

  private final Lab lab;
  private final DemoVariantRows variants;
  private @Nullable Comparison compared;

  TunerRows(Lab lab, DemoVariantRows variants) {
    this.lab = lab;
    this.variants = variants;
  }

  private record Comparison(
      TuneResult tuned, Measurement exhaustive, int grid, double ratio, double overDefaults) {}

  List<SuiteRow> rows() {
    return List.of(
        new SuiteRow(
            "tuner: throughput of what it finds / of the best of exhaustive search",
            Target.atLeast(0.97, ""),
            () -> new Measured(compare().ratio(), said())),
        new SuiteRow(
            "tuner: runs / runs of exhaustive search",
            Target.atMost(0.25, ""),
            () ->
                new Measured(
                    (double) compare().tuned().runs() / compare().grid(),
                    "%d runs instead of %d"
                        .formatted(compare().tuned().runs(), compare().grid()))));
  }

  private Comparison compare() throws Exception {
    Comparison known = compared;
    if (known == null) {
      known = measure();
      compared = known;
    }
    return known;
  }

  private Comparison measure() throws Exception {
    Path directory = repository();
    TuneSession session = TuneSession.open(directory);
    SearchSpace space =
        new SearchSpace(
            List.of(1, 2),
            List.of(1, 2),
            List.of(0),
            List.of(1, 4, 8),
            List.of(0L, 1000L),
            List.of(1L, 2L),
            List.of(Setting.CPU),
            2);
    List<Setting> grid = space.settings();
    Prior prior = session.prior(space, OBJECTIVE, LOAD, step -> {});
    try (ServerMeter meter = session.meter(LOAD, List.of())) {
      TuneResult tuned =
          session.search(meter, prior, space, OBJECTIVE, grid.size() / 4, SHORTEST, step -> {});
      Measurement best = meter.measure(grid.get(0), SHORTEST);
      for (Setting setting : grid) {
        Measurement run = meter.measure(setting, SHORTEST.multipliedBy(2));
        if (OBJECTIVE.worth(run) > OBJECTIVE.worth(best)) {
          best = run;
        }
      }
      List<Setting> rivals = List.of(tuned.best().setting(), best.setting(), session.baseline());
      double[] medians = inTurns(meter, rivals);
      double ratio = rivals.get(0).equals(rivals.get(1)) ? 1 : medians[0] / medians[1];
      return new Comparison(tuned, best, grid.size(), ratio, medians[0] / medians[2]);
    }
  }

  private static double[] inTurns(ServerMeter meter, List<Setting> rivals) throws Exception {
    double[][] perSecond = new double[rivals.size()][FINAL_TURNS];
    for (int turn = 0; turn < FINAL_TURNS; turn++) {
      for (int i = 0; i < rivals.size(); i++) {
        perSecond[i][turn] = meter.measure(rivals.get(i), SHORTEST.multipliedBy(2)).perSecond();
      }
    }
    double[] medians = new double[rivals.size()];
    for (int i = 0; i < medians.length; i++) {
      Arrays.sort(perSecond[i]);
      medians[i] = perSecond[i][FINAL_TURNS / 2];
    }
    return medians;
  }

  private String said() throws Exception {
    Comparison c = compare();
    List<String> parts = new ArrayList<>();
    parts.add("tuner: " + c.tuned().best().setting().text());
    parts.add("exhaustive search: " + c.exhaustive().setting().text());
    parts.add(
        String.format(
            Locale.ROOT,
            "medians of %d runs in turns, %s; %.2f times what the default settings give",
            FINAL_TURNS,
            LOAD.text(),
            c.overDefaults()));
    return String.join("; ", parts);
  }

  /** Returns the directory of a model whose second version is in INT8. */
  private Path repository() throws Exception {
    TestRepository repository = lab.repository();
    repository.add(
        MODEL,
        DemoVariantRows.home().resolve(MODEL).resolve("1").resolve("model.onnx"),
        new JsonObject()
            .put("max_batch_size", 8)
            .put(
                "version_policy",
                new JsonObject()
                    .put("specific", new JsonObject().put("versions", new JsonArray().add(1)))));
    Path directory = repository.root().resolve(MODEL);
    Path second = Files.createDirectory(directory.resolve("2"));
    Files.write(second.resolve("model.onnx"), variants.int8(MODEL).model());
    return directory;
  }
}
