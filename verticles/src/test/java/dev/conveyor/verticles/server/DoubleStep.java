package dev.conveyor.verticles.server;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.config.ConfigException;
import dev.conveyor.models.steps.Step;
import dev.conveyor.models.steps.StepFactory;
import dev.conveyor.models.steps.StepResources;
import dev.conveyor.models.steps.StepSettings;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A step of a user, as it would come in a jar: {@code conveyor.double} gives {@code y = 2 x}.
 * Thread-safe.
 *
 * <p>Settings: {@code gate}, the {@link Gate} that its runs pass through; {@code fails}, what it
 * throws instead of an answer.
 */
public final class DoubleStep implements StepFactory {

  private static volatile String lastThread = "";

  /** Returns the name of the thread that the last run was on. */
  public static String lastThread() {
    return lastThread;
  }

  @Override
  public String name() {
    return "double";
  }

  @Override
  public Step create(StepSettings settings) {
    return new Doubling(settings.text("gate", ""), settings.text("fails", ""));
  }

  private record Doubling(String gate, String fails) implements Step {

    @Override
    public List<String> inputs() {
      return List.of("x");
    }

    @Override
    public List<TensorSpec> outputs(List<TensorSpec> inputs) {
      if (inputs.get(0).type() != DataType.FP32) {
        throw new ConfigException("x", "FP32", inputs.get(0).type());
      }
      return List.of(new TensorSpec("y", DataType.FP32, inputs.get(0).shape()));
    }

    @Override
    public List<Tensor> run(List<Tensor> inputs, StepResources resources) {
      lastThread = Thread.currentThread().getName();
      if (!gate.isEmpty()) {
        Gate.pass(gate);
      }
      if (!fails.isEmpty()) {
        throw new IllegalStateException(fails);
      }
      Tensor x = inputs.get(0);
      ByteBuffer y = ByteBuffer.allocate(x.sizeBytes()).order(ByteOrder.LITTLE_ENDIAN);
      for (int at = 0; at < x.sizeBytes(); at += Float.BYTES) {
        y.putFloat(at, 2 * x.data().getFloat(at));
      }
      return List.of(Tensor.of("y", DataType.FP32, x.shape(), y));
    }
  }
}
