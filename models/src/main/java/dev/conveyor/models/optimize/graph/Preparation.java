package dev.conveyor.models.optimize.graph;

import dev.conveyor.models.onnx.proto.ModelProto;
import java.util.ArrayList;
import java.util.List;

/**
 * Brings a model into the form that the other transformations want: opset 13 or later, constants
 * computed, batch normalisation folded, nothing dead, batch axis dynamic. Stateless.
 */
public final class Preparation {

  /**
   * A prepared model.
   *
   * @param notes what was done, for the report
   */
  public record Prepared(Graph graph, List<String> notes) {
    public Prepared {
      notes = List.copyOf(notes);
    }
  }

  private Preparation() {}

  /**
   * Prepares a model.
   *
   * @throws dev.conveyor.models.optimize.OptimizeException if it cannot be brought to opset 13, or
   *     ONNX Runtime refuses it
   */
  public static Prepared prepare(ModelProto model) {
    Graph graph = Graph.of(model);
    List<String> notes = new ArrayList<>();
    long opset = graph.opset();
    if (OpsetUpgrade.apply(graph)) {
      notes.add("opset raised from %d to %d".formatted(opset, graph.opset()));
    }
    note(notes, Cleanup.apply(graph), "idle or dead nodes removed");
    note(notes, ConstantFolding.apply(graph), "constant nodes folded");
    note(notes, BatchNormFolding.apply(graph), "batch normalisations folded");
    BatchAxis.Outcome batch = BatchAxis.apply(graph);
    ConstantFolding.foldShapes(batch.graph());
    note(notes, ConstantFolding.apply(batch.graph()), "nodes folded whose shapes are fixed");
    if (!batch.note().isEmpty()) {
      notes.add(batch.note());
    }
    // Refuses here, with its reason, what ONNX Runtime would refuse later.
    ValueTypes.of(batch.graph());
    return new Prepared(batch.graph(), notes);
  }

  private static void note(List<String> notes, int count, String what) {
    if (count > 0) {
      notes.add(count + " " + what);
    }
  }
}
