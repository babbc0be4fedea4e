package dev.conveyor.models.optimize.evaluate;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.onnx.OnnxSession;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Latency and throughput of models on this machine, against each other. Stateless. */
public final class Speed {

  private static final int WARMUPS = 3;

  private Speed() {}

  /**
   * One model at one batch size.
   *
   * @param speedUp over the first model, by the median of the rounds' ratios; of CPU time if one
   *     thread runs the models, else of wall time
   */
  public record Point(
      int batch, long medianNs, long p99Ns, double itemsPerSecond, double speedUp) {}

  /**
   * Measures models that take the same input, in turns.
   *
   * @param models files by name; the first is what the others are compared with
   * @param inputs one item, first dimension 1
   * @param batches sizes to measure at
   * @param duration of the measurement at each size, all models together
   * @return the points of each model in the order of {@code batches}
   */
  public static Map<String, List<Point>> measure(
      Map<String, byte[]> models,
      List<Tensor> inputs,
      List<Integer> batches,
      int threads,
      Duration duration) {
    Map<String, OnnxSession> sessions = new LinkedHashMap<>();
    try {
      models.forEach(
          (name, model) ->
              sessions.put(
                  name, new OnnxSession(name, model, OnnxSession.Options.threads(threads))));
      Map<String, List<Point>> points = new LinkedHashMap<>();
      for (int batch : batches) {
        List<Tensor> items = inputs.stream().map(t -> repeat(t, batch)).toList();
        Map<String, Race.Times> times = race(sessions, items, duration);
        Race.Times baseline = times.values().iterator().next();
        times.forEach(
            (name, t) ->
                points
                    .computeIfAbsent(name, n -> new ArrayList<>())
                    .add(
                        new Point(
                            batch,
                            t.medianNs(),
                            t.percentileNs(0.99),
                            batch * 1e9 / t.medianNs(),
                            threads == 1 ? t.cpuSpeedUpOver(baseline) : t.speedUpOver(baseline))));
      }
      return points;
    } finally {
      sessions.values().forEach(OnnxSession::close);
    }
  }

  private static Map<String, Race.Times> race(
      Map<String, OnnxSession> sessions, List<Tensor> items, Duration duration) {
    List<OnnxSession.Bound> bound = new ArrayList<>();
    List<Race.Contestant> contestants = new ArrayList<>();
    try {
      sessions.forEach(
          (name, session) -> {
            OnnxSession.Bound inputs = session.bind(HalfInputs.suit(session.inputs(), items));
            bound.add(inputs);
            contestants.add(new Race.Contestant(name, inputs::run));
          });
      return Race.run(contestants, WARMUPS, duration);
    } finally {
      bound.forEach(OnnxSession.Bound::close);
    }
  }

  private static Tensor repeat(Tensor tensor, int batch) {
    if (batch == 1) {
      return tensor;
    }
    ByteBuffer all =
        ByteBuffer.allocate(Math.multiplyExact(tensor.sizeBytes(), batch))
            .order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < batch; i++) {
      all.put(tensor.data().duplicate());
    }
    all.flip();
    return Tensor.of(tensor.name(), tensor.type(), tensor.shape().withFirst(batch), all);
  }
}
