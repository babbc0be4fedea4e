package dev.conveyor.verticles.bench.load;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import io.vertx.core.buffer.Buffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Checks the wire format with protobuf's own parser, which knows the fields by number only. */
class GrpcPayloadTest {

  @Test
  void shouldEncodeARequestByTheFieldNumbersOfTheService() throws Exception {
    RequestTensor a =
        new RequestTensor("a", DataType.FP32, Shape.of(1, 300), Buffer.buffer("aaaa"));
    RequestTensor b = new RequestTensor("b", DataType.INT8, Shape.of(), Buffer.buffer("b"));

    UnknownFieldSet request =
        parse(
            GrpcPayload.inferRequest(new InferPayload("model", List.of(a, b), List.of("out"), 1)));

    assertThat(strings(request, 1)).containsExactly("model");
    List<ByteString> inputs = request.getField(5).getLengthDelimitedList();
    assertThat(inputs).hasSize(2);
    UnknownFieldSet first = UnknownFieldSet.parseFrom(inputs.get(0));
    assertThat(strings(first, 1)).containsExactly("a");
    assertThat(strings(first, 2)).containsExactly("FP32");
    assertThat(first.getField(3).getLengthDelimitedList())
        .containsExactly(ByteString.copyFrom(new byte[] {1, (byte) 0xAC, 2}));
    UnknownFieldSet output =
        UnknownFieldSet.parseFrom(request.getField(6).getLengthDelimitedList().get(0));
    assertThat(strings(output, 1)).containsExactly("out");
    assertThat(strings(request, 7)).containsExactly("aaaa", "b");
  }

  @Test
  void shouldReadInputsOutOfMetadataWithPackedAndUnpackedShapes() {
    UnknownFieldSet packed = tensor("x", "FP32", true, -1, 16);
    UnknownFieldSet unpacked = tensor("y", "BYTES", false, 5);
    Buffer response =
        Buffer.buffer(
            UnknownFieldSet.newBuilder()
                .addField(1, text("model"))
                .addField(
                    4,
                    UnknownFieldSet.Field.newBuilder()
                        .addLengthDelimited(packed.toByteString())
                        .addLengthDelimited(unpacked.toByteString())
                        .build())
                .addField(5, text("ignored"))
                .build()
                .toByteArray());

    assertThat(GrpcPayload.metadataInputs(response))
        .containsExactly(
            new TensorSpec("x", DataType.FP32, Shape.of(-1, 16)),
            new TensorSpec("y", DataType.BYTES, Shape.of(5)));
  }

  static UnknownFieldSet tensor(String name, String type, boolean packed, long... dims) {
    UnknownFieldSet.Field.Builder shape = UnknownFieldSet.Field.newBuilder();
    if (packed) {
      ByteString.Output bytes = ByteString.newOutput();
      for (long dim : dims) {
        long rest = dim;
        while ((rest & ~0x7FL) != 0) {
          bytes.write((int) ((rest & 0x7F) | 0x80));
          rest >>>= 7;
        }
        bytes.write((int) rest);
      }
      shape.addLengthDelimited(bytes.toByteString());
    } else {
      for (long dim : dims) {
        shape.addVarint(dim);
      }
    }
    return UnknownFieldSet.newBuilder()
        .addField(1, text(name))
        .addField(2, text(type))
        .addField(3, shape.build())
        .build();
  }

  static UnknownFieldSet.Field text(String text) {
    return UnknownFieldSet.Field.newBuilder()
        .addLengthDelimited(ByteString.copyFromUtf8(text))
        .build();
  }

  private static UnknownFieldSet parse(Buffer message) throws Exception {
    return UnknownFieldSet.parseFrom(message.getBytes());
  }

  private static List<String> strings(UnknownFieldSet message, int field) {
    return message.getField(field).getLengthDelimitedList().stream()
        .map(ByteString::toStringUtf8)
        .toList();
  }
}
