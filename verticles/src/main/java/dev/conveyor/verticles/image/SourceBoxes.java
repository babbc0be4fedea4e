package dev.conveyor.verticles.image;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import dev.conveyor.models.config.Preprocessing.Boxes;
import dev.conveyor.models.config.Preprocessing.Size;
import dev.conveyor.models.image.Placement;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Boxes that a model found, in pixels of the images that were sent to it. Immutable.
 *
 * <p>Row n of an output belongs to image n; where there is one image, all of it does. Corners that
 * are no numbers stay so.
 */
final class SourceBoxes {

  private static final int CORNERS = 4;

  private final List<Boxes> boxes;
  private final Size size;
  private final List<Placement> placements;

  /**
   * Creates what brings the boxes of one request back.
   *
   * @param size of the model's input
   * @param placements of each image in it
   */
  SourceBoxes(List<Boxes> boxes, Size size, List<Placement> placements) {
    this.boxes = boxes;
    this.size = size;
    this.placements = placements;
  }

  /** Takes the outputs over; those that are no boxes are returned as they are. */
  List<Tensor> apply(List<Tensor> outputs) {
    List<Tensor> mapped = new ArrayList<>(outputs.size());
    for (Tensor output : outputs) {
      Tensor now = output;
      for (Boxes each : boxes) {
        if (each.output().equals(output.name()) && isBoxes(output)) {
          now = toSource(output, each.units());
        }
      }
      mapped.add(now);
    }
    return mapped;
  }

  private boolean isBoxes(Tensor output) {
    Shape shape = output.shape();
    return output.type() == DataType.FP32
        && shape.rank() > 0
        && shape.dim(shape.rank() - 1) == CORNERS
        && (placements.size() == 1 || shape.dim(0) == placements.size());
  }

  private Tensor toSource(Tensor output, Boxes.Units units) {
    float unitX = units == Boxes.Units.NORMALIZED ? size.width() : 1;
    float unitY = units == Boxes.Units.NORMALIZED ? size.height() : 1;
    ByteBuffer from = output.data();
    ByteBuffer to = ByteBuffer.allocate(from.limit()).order(ByteOrder.LITTLE_ENDIAN);
    int bytesPerImage = Math.max(1, from.limit() / placements.size());
    for (int at = 0; at < from.limit(); at += 2 * Float.BYTES) {
      Placement placement = placements.get(at / bytesPerImage);
      to.putFloat(placement.sourceX(from.getFloat(at) * unitX));
      to.putFloat(placement.sourceY(from.getFloat(at + Float.BYTES) * unitY));
    }
    Tensor mapped = Tensor.of(output.name(), output.type(), output.shape(), to.flip());
    output.close();
    return mapped;
  }
}
