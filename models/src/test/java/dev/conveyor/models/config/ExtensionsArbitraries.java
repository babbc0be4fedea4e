package dev.conveyor.models.config;

import dev.conveyor.models.DataType;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;

/** Any extensions of a model's configuration that may be written. Stateless. */
final class ExtensionsArbitraries {

  private ExtensionsArbitraries() {}

  static Arbitrary<String> names() {
    return Arbitraries.strings().alpha().numeric().withChars("_-").ofMinLength(1).ofMaxLength(8);
  }

  static Arbitrary<Extensions> extensions() {
    return Combinators.combine(
            preprocessing().list().ofMaxSize(2),
            threads(),
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
                    threads.getKey(),
                    threads.getValue(),
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

  private static Arbitrary<Map.Entry<Integer, Integer>> threads() {
    return Combinators.combine(
            Arbitraries.integers().greaterOrEqual(0), Arbitraries.integers().greaterOrEqual(0))
        .as(Map::entry);
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
            Arbitraries.doubles().between(0, false, 99, true),
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
