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
import java.util.Set;
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
                    names(),
                    Arbitraries.of("", "onnxruntime", "tensorrt"),
                    tensors(true).list().uniqueElements(TensorConfig::name).ofMaxSize(3),
                    tensors(false).list().uniqueElements(TensorConfig::name).ofMaxSize(3),
                    Arbitraries.of(Isolation.class)
                        .flatMap(isolation -> instanceGroups(isolation).list().ofMaxSize(2)),
                    batching(max).optional(),
                    Combinators.combine(
                            versionPolicies(),
                            warmups().list().ofMaxSize(2),
                            names(),
                            accelerators(),
                            Arbitraries.of(ModelPriority.class))
                        .as(Parts::new),
                    Combinators.combine(
                            Arbitraries.maps(names(), Arbitraries.strings().ofMaxLength(5))
                                .ofMaxSize(2),
                            extensions())
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
                            batching.filter(DynamicBatching::preserveOrdering).isPresent()
                                ? withoutHedging(rest.getValue())
                                : rest.getValue(),
                            Optional.empty(),
                            parts.accelerators(),
                            parts.priority(),
                            ModelParameters.withoutEffect(rest.getKey().keySet()))));
  }

  /** Order and hedging exclude each other. */
  private static Extensions withoutHedging(Extensions all) {
    return new Extensions(
        all.preprocessing(),
        all.intraOpThreads(),
        all.weight(),
        all.admission(),
        all.process(),
        all.verify(),
        all.memory(),
        all.serviceLevel(),
        all.instances(),
        all.rejectNonFinite(),
        all.stepFlows(),
        Hedging.OFF,
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
            Arbitraries.maps(names(), Arbitraries.strings().ofMaxLength(5)).ofMaxSize(2))
        .as(GpuAccelerator::new)
        .list()
        .ofMaxSize(2);
  }

  private static Arbitrary<String> names() {
    return Arbitraries.strings().alpha().numeric().withChars("_-").ofMinLength(1).ofMaxLength(8);
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
            names(),
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
            Arbitraries.integers().between(0, 9).list().ofMaxSize(2))
        .as(
            (name, kind, count, gpus) ->
                new InstanceGroup(
                    name,
                    kind,
                    count,
                    kind == InstanceGroup.Kind.KIND_CPU ? List.of() : gpus,
                    isolation));
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
            names(),
            Arbitraries.integers().greaterOrEqual(0),
            Arbitraries.integers().greaterOrEqual(1),
            Arbitraries.maps(names(), inputs).ofMaxSize(2))
        .as(Warmup::new);
  }

  private static Arbitrary<Extensions> extensions() {
    return Combinators.combine(
            preprocessing().list().ofMaxSize(2),
            Arbitraries.integers().greaterOrEqual(0),
            Arbitraries.doubles().between(0, false, 1e6, true),
            admission(),
            processIsolation(),
            Arbitraries.of(Isolation.class),
            memory(),
            Combinators.combine(
                    Combinators.combine(serviceLevel(), instances()).as(Map::entry),
                    Combinators.combine(
                            Arbitraries.of(true, false),
                            Combinators.combine(hedging(), rollout()).as(Map::entry))
                        .as(Map::entry))
                .as(Map::entry))
        .as(
            (preprocessing, threads, weight, admission, process, verify, memory, rest) ->
                new Extensions(
                    preprocessing,
                    threads,
                    weight,
                    admission,
                    process,
                    verify,
                    memory,
                    rest.getKey().getKey(),
                    rest.getKey().getValue(),
                    rest.getValue().getKey(),
                    List.of(),
                    rest.getValue().getValue().getKey(),
                    rest.getValue().getValue().getValue()));
  }

  private static Arbitrary<Hedging> hedging() {
    return Combinators.combine(
            Arbitraries.doubles().between(50, 99), Arbitraries.doubles().between(0, false, 1, true))
        .as(Hedging::new)
        .edgeCases(config -> config.add(Hedging.OFF));
  }

  private static Arbitrary<Rollout> rollout() {
    Arbitrary<Double> part = Arbitraries.doubles().between(0, 1);
    Arbitrary<Integer> count = Arbitraries.integers().between(1, 1024);
    return Combinators.combine(
            Arbitraries.longs().between(1, 99),
            Arbitraries.doubles().between(0, false, 1, true),
            part,
            count,
            part,
            part,
            Arbitraries.doubles().between(1, 1e6),
            count)
        .as((v, s, c, l, t, e, p, n) -> new Rollout(v, s, c, l, t, 1 - t, e, p, n))
        .edgeCases(config -> config.add(Rollout.NONE));
  }

  private static Arbitrary<InstanceRange> instances() {
    return Arbitraries.integers()
        .between(0, 4)
        .flatMap(
            min -> Arbitraries.integers().between(min, 8).map(max -> new InstanceRange(min, max)));
  }

  private static Arbitrary<Admission> admission() {
    Arbitrary<Duration> micros =
        Arbitraries.longs().between(1, 86_400_000_000L).map(n -> Duration.of(n, ChronoUnit.MICROS));
    return Combinators.combine(
            Arbitraries.longs().greaterOrEqual(0),
            micros,
            micros,
            Combinators.combine(
                    Arbitraries.doubles().between(0, false, 1e9, true),
                    Arbitraries.doubles().between(1, 1e9))
                .as(Quota::new)
                .injectNull(0.5))
        .as(Admission::new);
  }

  private static Arbitrary<ProcessIsolation> processIsolation() {
    return Combinators.combine(
            Arbitraries.of(0L, 256L << 20, Long.MAX_VALUE),
            Arbitraries.of(0, 128, Integer.MAX_VALUE),
            Arbitraries.of("", "0", "0-3,7,9-10"),
            Arbitraries.integers().between(500, Integer.MAX_VALUE).map(Duration::ofMillis))
        .as(ProcessIsolation::new);
  }

  private static Arbitrary<ModelMemory> memory() {
    return Combinators.combine(
            Arbitraries.of(ModelMemory.Residency.class), Arbitraries.longs().greaterOrEqual(0))
        .as(ModelMemory::new);
  }

  private static Arbitrary<ServiceLevel> serviceLevel() {
    Arbitrary<Duration> micros =
        Arbitraries.longs().between(0, 1L << 40).map(n -> Duration.of(n, ChronoUnit.MICROS));
    return Combinators.combine(
            micros,
            Arbitraries.doubles().between(0, false, 100, true),
            Arbitraries.of(ServiceLevel.PriorityClass.class),
            micros)
        .as(ServiceLevel::new);
  }

  private static Arbitrary<Preprocessing> preprocessing() {
    Set<DataType> types = Set.of(DataType.FP32, DataType.UINT8);
    return Combinators.combine(
            names(),
            Arbitraries.of(Preprocessing.Mode.class),
            Arbitraries.integers().greaterOrEqual(1),
            Arbitraries.of(Preprocessing.Color.class),
            Arbitraries.of(Preprocessing.Layout.class),
            Arbitraries.of(types),
            Arbitraries.doubles().list().ofSize(3),
            Arbitraries.integers().between(0, 255))
        .as(
            (input, mode, size, color, layout, type, values, pad) ->
                new Preprocessing(
                    input,
                    mode,
                    size,
                    size,
                    color,
                    layout,
                    type,
                    values.subList(0, color.channels()),
                    List.of(),
                    pad))
        .flatMap(
            one ->
                Arbitraries.of(true, false)
                    .map(
                        several ->
                            several
                                ? new Preprocessing(
                                    one.input(),
                                    one.mode(),
                                    0,
                                    0,
                                    one.color(),
                                    one.layout(),
                                    one.dataType(),
                                    one.mean(),
                                    one.scale(),
                                    one.padValue(),
                                    List.of(
                                        new Preprocessing.Size(8, 9), new Preprocessing.Size(3, 2)),
                                    List.of(
                                        new Preprocessing.Boxes(
                                            "b", Preprocessing.Boxes.Units.NORMALIZED)),
                                    Preprocessing.Device.AUTO)
                                : one));
  }
}
