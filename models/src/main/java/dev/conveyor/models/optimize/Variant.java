package dev.conveyor.models.optimize;

import dev.conveyor.models.optimize.graph.Graph;
import java.util.List;

/**
 * One way a model came out.
 *
 * @param notes what was done and what was left alone, for the report
 */
public record Variant(VariantKind kind, Graph graph, List<String> notes) {
  public Variant {
    notes = List.copyOf(notes);
  }

  /** Returns the bytes of the model's file. */
  public byte[] bytes() {
    return graph.toModel().toByteArray();
  }
}
