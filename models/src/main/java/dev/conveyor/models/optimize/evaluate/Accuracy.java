package dev.conveyor.models.optimize.evaluate;

import dev.conveyor.models.Tensor;
import dev.conveyor.models.optimize.data.Sample;
import java.util.List;
import java.util.Map;

/** How right answers are, by the truth about the data. Not thread-safe: owned by one evaluation. */
interface Accuracy {

  /** Adds the answer to one item; an item about which nothing is known is passed over. */
  void add(Sample sample, List<Tensor> outputs);

  /** Returns the name of {@link #percent}, for example {@code top-1}. */
  String metric();

  /** Returns how right, from 0 to 100; NaN if nothing was known. */
  double percent();

  /** Returns further figures in percent by name. */
  Map<String, Double> details();
}
