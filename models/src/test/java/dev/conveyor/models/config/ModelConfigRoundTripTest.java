package dev.conveyor.models.config;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.TextFormat;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class ModelConfigRoundTripTest {

  @Property(tries = 300, edgeCases = EdgeCasesMode.MIXIN)
  void shouldReadWhatWasWrittenAsJson(@ForAll("configs") ModelConfig config) {
    String json = ModelConfigWriter.toJson(config);

    assertThat(ModelConfigReader.read(config.name(), json)).isEqualTo(config);
  }

  @Property(tries = 100, edgeCases = EdgeCasesMode.MIXIN)
  void shouldReadWhatWasWrittenAsText(@ForAll("configs") ModelConfig config) throws IOException {
    Path root = Files.createTempDirectory("models");
    Path model = Files.createDirectory(root.resolve(config.name()));
    Path file = model.resolve("config.pbtxt");
    try {
      Files.writeString(
          file, TextFormat.printer().printToString(ModelConfigWriter.toProto(config)));

      assertThat(ModelConfigReader.read(model)).isEqualTo(config);
    } finally {
      Files.delete(file);
      Files.delete(model);
      Files.delete(root);
    }
  }

  @Test
  void shouldWriteKeysAndNumbersAsTritonDoes() {
    ModelConfig config =
        ModelConfigReader.read(
            "m",
            """
            {"backend": "onnxruntime", "max_batch_size": 4, "dynamic_batching": {},
             "input": [{"name": "x", "data_type": "TYPE_STRING", "dims": [-1]}]}
            """);

    assertThat(ModelConfigWriter.toJson(config))
        .contains("\"platform\":\"onnxruntime_onnx\"")
        .contains("\"version_policy\":{\"latest\":{\"num_versions\":1}}")
        .contains("\"dims\":[-1]")
        .contains("\"data_type\":\"TYPE_STRING\"")
        .contains("\"max_queue_delay_microseconds\":0")
        .contains("\"default_model_filename\":\"model.onnx\"")
        .contains("\"model_warmup\":[]")
        .doesNotContain("conveyor");
  }

  @Provide
  Arbitrary<ModelConfig> configs() {
    Arbitrary<Integer> maxBatch = Arbitraries.integers().between(-1, 64);
    return maxBatch.flatMap(
        max ->
            Combinators.combine(
                    ExtensionsArbitraries.names(),
                    Arbitraries.of("", "onnxruntime", "tensorrt"),
                    tensors(true).list().uniqueElements(TensorConfig::name).ofMaxSize(3),
                    tensors(false).list().uniqueElements(TensorConfig::name).ofMaxSize(3),
                    Arbitraries.of(Isolation.class)
                        .flatMap(isolation -> instanceGroups(isolation).list().ofMaxSize(2)),
                    batching(max).optional(),
                    Combinators.combine(
                            versionPolicies(),
                            warmups().list().ofMaxSize(2),
                            ExtensionsArbitraries.names(),
                            accelerators(),
                            Arbitraries.of(ModelPriority.class))
                        .as(Parts::new),
                    Combinators.combine(
                            Arbitraries.maps(
                                    ExtensionsArbitraries.names(),
                                    Arbitraries.strings().ofMaxLength(5))
                                .ofMaxSize(2),
                            ExtensionsArbitraries.extensions())
                        .as(Map::entry))
                .as(
                    (name, backend, in, out, groups, batching, parts, rest) ->
                        new ModelConfig(
                            name,
                            backend,
                            max,
                            in,
                            out,
                            groups,
                            batching,
                            parts.versions(),
                            parts.warmups(),
                            rest.getKey(),
                            parts.filename(),
                            allowed(rest.getValue(), groups, batching),
                            Optional.empty(),
                            parts.accelerators(),
                            parts.priority(),
                            ModelParameters.withoutEffect(rest.getKey().keySet()))));
  }

  /** Order and hedging exclude each other, processes and more threads when idle do. */
  private static Extensions allowed(
      Extensions all, List<InstanceGroup> groups, Optional<DynamicBatching> batching) {
    boolean ordered = batching.filter(DynamicBatching::preserveOrdering).isPresent();
    boolean isolated = !groups.isEmpty() && groups.get(0).isolation() == Isolation.PROCESS;
    return new Extensions(
        all.preprocessing(),
        all.intraOpThreads(),
        isolated ? 0 : all.idleIntraOpThreads(),
        all.weight(),
        all.admission(),
        all.process(),
        all.verify(),
        all.memory(),
        all.serviceLevel(),
        all.instances(),
        all.rejectNonFinite(),
        all.stepFlows(),
        ordered ? Hedging.OFF : all.hedging(),
        all.rollout());
  }

  private record Parts(
      VersionPolicy versions,
      List<Warmup> warmups,
      String filename,
      List<GpuAccelerator> accelerators,
      ModelPriority priority) {}

  private static Arbitrary<List<GpuAccelerator>> accelerators() {
    return Combinators.combine(
            Arbitraries.just("tensorrt"),
            Arbitraries.maps(ExtensionsArbitraries.names(), Arbitraries.strings().ofMaxLength(5))
                .ofMaxSize(2))
        .as(GpuAccelerator::new)
        .list()
        .ofMaxSize(2);
  }

  private static Arbitrary<Shape> shapes(long min) {
    return Arbitraries.longs()
        .between(min, Long.MAX_VALUE)
        .filter(dim -> dim != 0)
        .list()
        .ofMaxSize(4)
        .map(Shape::of);
  }

  private static Arbitrary<TensorConfig> tensors(boolean input) {
    return Combinators.combine(
            ExtensionsArbitraries.names(),
            Arbitraries.of(DataType.class).injectNull(0.2),
            shapes(-1),
            Arbitraries.of(true, false),
            Arbitraries.of(TensorConfig.Format.class),
            Arbitraries.of("", "labels.txt"))
        .as(
            (name, type, dims, reshaped, format, labels) ->
                new TensorConfig(
                    name,
                    type,
                    dims,
                    reshaped && dims.rank() > 0 ? Optional.of(dims.withBatch(1)) : Optional.empty(),
                    input && dims.rank() == 3 ? format : TensorConfig.Format.NONE,
                    input ? "" : labels));
  }

  private static Arbitrary<InstanceGroup> instanceGroups(Isolation isolation) {
    return Combinators.combine(
            Arbitraries.strings().ofMaxLength(4),
            Arbitraries.of(InstanceGroup.Kind.class),
            Arbitraries.integers().greaterOrEqual(1),
            Arbitraries.integers().between(0, 9).list().ofMaxSize(2),
            Arbitraries.of("GPU-8f1c", "MIG-5c1e-7a").list().ofMaxSize(2))
        .as(
            (name, kind, count, gpus, uuids) ->
                new InstanceGroup(
                    name,
                    kind,
                    count,
                    kind == InstanceGroup.Kind.KIND_CPU ? List.of() : gpus,
                    kind == InstanceGroup.Kind.KIND_CPU ? List.of() : uuids,
                    isolation,
                    List.of()));
  }

  private static Arbitrary<DynamicBatching> batching(int maxBatch) {
    int largest = maxBatch < 0 ? 1000 : Math.max(1, maxBatch);
    return Combinators.combine(
            Arbitraries.integers().between(1, largest).list().ofMaxSize(3),
            durations(),
            Arbitraries.of(true, false),
            Arbitraries.integers().between(1, 3),
            queuePolicies(),
            Arbitraries.maps(Arbitraries.integers().between(1, 3), queuePolicies()).ofMaxSize(2))
        .as(
            (preferred, delay, ordering, level, policy, policies) ->
                new DynamicBatching(preferred, delay, ordering, 3, level, policy, policies));
  }

  private static Arbitrary<Duration> durations() {
    return Arbitraries.longs()
        .between(0, Long.MAX_VALUE / 1000)
        .map(micros -> Duration.of(micros, ChronoUnit.MICROS));
  }

  private static Arbitrary<QueuePolicy> queuePolicies() {
    return Combinators.combine(
            Arbitraries.of(QueuePolicy.TimeoutAction.class),
            durations(),
            Arbitraries.of(true, false),
            Arbitraries.integers().greaterOrEqual(0))
        .as(QueuePolicy::new);
  }

  private static Arbitrary<VersionPolicy> versionPolicies() {
    Arbitrary<VersionPolicy> specific =
        Arbitraries.longs()
            .greaterOrEqual(1)
            .list()
            .ofMinSize(1)
            .ofMaxSize(3)
            .map(VersionPolicy.Specific::new);
    Arbitrary<VersionPolicy> latest =
        Arbitraries.integers().greaterOrEqual(1).map(VersionPolicy.Latest::new);
    return Arbitraries.oneOf(
        latest, specific, Arbitraries.just((VersionPolicy) new VersionPolicy.All()));
  }

  private static Arbitrary<Warmup> warmups() {
    Arbitrary<Warmup.Input> inputs =
        Combinators.combine(
                Arbitraries.of(DataType.class), shapes(1), Arbitraries.of(Warmup.Data.class))
            .as(
                (type, dims, data) ->
                    new Warmup.Input(type, dims, data, data == Warmup.Data.FILE ? "data.bin" : ""));
    return Combinators.combine(
            ExtensionsArbitraries.names(),
            Arbitraries.integers().greaterOrEqual(0),
            Arbitraries.integers().greaterOrEqual(1),
            Arbitraries.maps(ExtensionsArbitraries.names(), inputs).ofMaxSize(2))
        .as(Warmup::new);
  }
}
