package dev.conveyor.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class InferenceRequestTest {

  @Test
  void shouldAnswerInTheSameWayWhenItIsRunAgain() {
    Tensor tensor = Tensor.of("boxes", DataType.UINT8, Shape.of(1), ByteBuffer.allocate(1));
    InferenceRequest first =
        InferenceRequest.of("m", "1", List.of(tensor), ReplyTo.unheard())
            .tenant("tenant")
            .trace("trace")
            .outputs(given -> List.of(given.get(0).renamed("boxes in the image")))
            .build();

    InferenceRequest again = Objects.requireNonNull(first.repeatShared());

    assertThat(again.answer(List.of(tensor)).get(0).name()).isEqualTo("boxes in the image");
    assertThat(again.trace()).isEqualTo("trace");
    assertThat(again.tenant()).isEqualTo("tenant");
    assertThat(again.isRepeated()).isTrue();
  }
}
