package dev.conveyor.verticles.cli;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.backend.ExecutionException;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.config.ModelConfig;
import dev.conveyor.models.optimize.ModelSource;
import dev.conveyor.models.optimize.OptimizeException;
import dev.conveyor.models.optimize.Optimizer;
import dev.conveyor.models.optimize.Report;
import dev.conveyor.models.optimize.RepositoryWriter;
import dev.conveyor.models.optimize.VariantReport;
import dev.conveyor.models.optimize.graph.OnnxFile;
import dev.conveyor.models.repository.ModelDirectory;
import dev.conveyor.models.repository.RepositoryException;
import dev.conveyor.verticles.cli.optimize.ProgressBar;
import dev.conveyor.verticles.cli.optimize.ReportJson;
import dev.conveyor.verticles.cli.optimize.ReportText;
import dev.conveyor.verticles.cli.optimize.VariantOptions;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * The command {@code optimize}. Not thread-safe: one object, one run.
 *
 * <p>Exit codes: 0 if a variant passes (in a comparison: if the student does); 1 if none does, or
 * if the model or the data cannot be worked with; 2 for a wrong command line.
 */
@Command(
    name = "optimize",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Makes smaller and faster variants of an ONNX model, measures on data what each gains and"
          + " loses, and writes the best as the next version of the model, if it passes.",
      ""
    },
    footer = {
      "",
      "Examples:",
      "  optimize conf/models/surface_classifier --data photos --write",
      "  optimize net.onnx --data tensors --variants int8,fp16 --out net-small.onnx",
      "  optimize --compare teacher.onnx student.onnx --data tensors"
    })
final class OptimizeCommand implements Callable<Integer> {

  @Spec private @Nullable CommandSpec spec;

  @Parameters(
      paramLabel = "MODEL",
      arity = "1..2",
      description = "Model file, or a model's directory in a repository; with --compare two.")
  private List<Path> models = List.of();

  @Option(
      names = "--data",
      required = true,
      paramLabel = "DIR",
      description =
          "Held-out data: images, through the model's preprocessing block, or .npy files named like"
              + " the inputs. Truth, if known, in truth.json or labels.npy.")
  private Path data = Path.of("");

  @Option(
      names = "--config",
      paramLabel = "DIR",
      description = "Directory with the config.json of a model outside of a repository.")
  private @Nullable Path config;

  @Mixin private VariantOptions variants = new VariantOptions();

  @Option(
      names = "--write",
      description = "Write the best variant that passes as the model's next version.")
  private boolean write;

  @Option(names = "--out", paramLabel = "FILE", description = "Write it to this file.")
  private @Nullable Path out;

  @Option(names = "--force", description = "Write the first variant even if none passes.")
  private boolean force;

  @Option(names = "--json", paramLabel = "FILE", description = "Write the report there too.")
  private @Nullable Path json;

  @Option(names = "--compare", description = "Compare two models, a teacher and its student.")
  private boolean compare;

  @Override
  public Integer call() {
    CommandSpec command = Objects.requireNonNull(spec);
    PrintWriter console = command.commandLine().getOut();
    PrintWriter errors = command.commandLine().getErr();
    ProgressBar progress = new ProgressBar(errors);
    try {
      if (models.size() != (compare ? 2 : 1)) {
        errors.println("conveyor: one model is expected, or two with --compare");
        return 2;
      }
      ModelSource source = ModelSource.open(models.get(0), Optional.ofNullable(config), data);
      Optimizer optimizer = new Optimizer(variants.options(), progress);
      Report report =
          compare
              ? optimizer.compare(
                  source, ModelSource.open(models.get(1), Optional.ofNullable(config), data))
              : optimizer.optimize(source);
      progress.finish();
      console.print(ReportText.of(report));
      Optional<String> written = compare ? Optional.empty() : write(report, source);
      written.ifPresent(console::println);
      if (json != null) {
        String text =
            ReportJson.of(report).put("written", written.orElse(null)).encodePrettily() + "\n";
        OnnxFile.write(json, text.getBytes(StandardCharsets.UTF_8));
      }
      console.flush();
      return report.variants().stream().anyMatch(VariantReport::passes) ? 0 : 1;
    } catch (OptimizeException
        | RepositoryException
        | ConfigException
        | InferenceException
        | ExecutionException e) {
      progress.finish();
      errors.println("conveyor: " + e.getMessage());
      return 1;
    }
  }

  private Optional<String> write(Report report, ModelSource source) {
    if (!write && out == null) {
      return Optional.empty();
    }
    Optional<VariantReport> best = report.best();
    boolean forced = best.isEmpty() && force;
    if (best.isEmpty() && !forced) {
      return Optional.of("nothing written: no variant passes");
    }
    VariantReport chosen = best.orElseGet(() -> report.variants().get(0));
    StringBuilder done = new StringBuilder();
    if (out != null) {
      RepositoryWriter.writeFile(out, chosen.model());
      done.append(said(chosen, forced, out));
    }
    if (write) {
      ModelDirectory directory =
          source
              .directory()
              .orElseThrow(
                  () ->
                      new OptimizeException(
                          source.file()
                              + ": not in a model repository, so it has no next version; use"
                              + " --out"));
      ModelConfig settings = directory.readConfig();
      Path file = RepositoryWriter.writeNextVersion(directory, settings, chosen.model());
      done.append(done.isEmpty() ? "" : "\n").append(said(chosen, forced, file));
    }
    return Optional.of(done.toString());
  }

  private static String said(VariantReport chosen, boolean forced, Path file) {
    return String.format(
        Locale.ROOT,
        "%s written to %s%s",
        chosen.name(),
        file,
        forced ? ", although it does not pass (--force)" : "");
  }
}
