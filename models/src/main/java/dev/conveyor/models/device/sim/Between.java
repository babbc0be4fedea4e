package dev.conveyor.models.device.sim;

import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** Outputs that stayed on their device, and what is done with them next. Not thread-safe. */
final class Between {

  private static final class Output {
    private final int items;
    private final int[] words;
    private final Tensor tensor;

    Output(int items, int[] words, Tensor tensor) {
      this.items = items;
      this.words = words;
      this.tensor = tensor;
    }

    int wordsPerItem() {
      return words.length / items;
    }
  }

  private final SplittableRandom random;
  private final List<Output> outputs = new ArrayList<>();
  private int handedOn;
  private int wrong;

  Between(SplittableRandom random) {
    this.random = random;
  }

  void add(SimulatedRequest request, Tensor tensor) {
    outputs.add(new Output(request.batchSize(), request.expected(), tensor));
  }

  boolean isEmpty() {
    return outputs.isEmpty();
  }

  /** Returns how many were read by another model. */
  int handedOn() {
    return handedOn;
  }

  /** Returns how many were wrong when they were read on the host. */
  int wrong() {
    return wrong;
  }

  /** Returns a request of a model that takes one of them, or some rows of it; null if none fits. */
  @Nullable SimulatedRequest next(SimulatedModel model, int room) {
    for (int i = 0; i < outputs.size(); i++) {
      Output output = outputs.get(i);
      if (output.wordsPerItem() == model.inWords() && output.items <= room) {
        handedOn++;
        return random.nextBoolean() ? whole(model, i) : rows(model, output);
      }
    }
    return null;
  }

  private SimulatedRequest whole(SimulatedModel model, int index) {
    Output output = outputs.remove(index);
    return SimulatedRequest.of(model, output.items, output.words, output.tensor);
  }

  /** The rest stays for another reader. */
  private SimulatedRequest rows(SimulatedModel model, Output output) {
    int from = random.nextInt(output.items);
    int count = 1 + random.nextInt(output.items - from);
    int width = output.wordsPerItem();
    Tensor part =
        output.tensor.trySharePart(
            Shape.of(count, width), from * width * Integer.BYTES, count * width * Integer.BYTES);
    if (part == null) {
      throw new IllegalStateException("an open tensor has no rows to share");
    }
    int[] words = Arrays.copyOfRange(output.words, from * width, (from + count) * width);
    return SimulatedRequest.of(model, count, words, part);
  }

  /** Reads one on the host, or gives it up. */
  void endOne() {
    Output output = outputs.remove(random.nextInt(outputs.size()));
    try (Tensor tensor = output.tensor) {
      if (random.nextBoolean()) {
        for (int i = 0; i < output.words.length; i++) {
          if (tensor.data().getInt(i * Integer.BYTES) != output.words[i]) {
            wrong++;
            return;
          }
        }
      }
    } catch (InferenceException e) {
      // It cannot be had any more, or there is no memory: its request would be told.
    }
  }

  void giveUp() {
    outputs.forEach(output -> output.tensor.close());
    outputs.clear();
  }
}
