package dev.conveyor.models.process;

import dev.conveyor.models.DataType;
import dev.conveyor.models.Shape;
import dev.conveyor.models.TensorSpec;
import dev.conveyor.models.process.wire.ControlChannel;
import dev.conveyor.models.process.wire.Message;
import dev.conveyor.models.process.wire.MessageType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A worker that behaves until it is to run a batch; then it lies as its model file says. */
public final class DeceitfulWorker {

  private DeceitfulWorker() {}

  public static void main(String[] arguments) throws Exception {
    WorkerStub stub = WorkerStub.connect(arguments);
    SocketChannel socket = stub.socket();
    ControlChannel channel = stub.channel();
    String lie = "";
    while (true) {
      Message message = channel.receive(0);
      switch (message.type()) {
        case LOAD -> {
          lie = Files.readString(Path.of(message.readString()));
          List<TensorSpec> specs = List.of(new TensorSpec("t", DataType.FP32, Shape.of(-1, 1)));
          channel
              .begin(MessageType.LOADED)
              .putLong(0)
              .putHolders(Map.of())
              .putSpecs(specs)
              .putSpecs(specs)
              .send();
        }
        case EXECUTE -> lie(lie, message.readLong(), channel, socket);
        default -> channel.begin(MessageType.DONE).putLong(0).putHolders(Map.of()).send();
      }
    }
  }

  private static void lie(String lie, long number, ControlChannel channel, SocketChannel socket)
      throws IOException {
    switch (lie) {
      case "noise" ->
          socket.write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 1, 1}));
      case "huge frame" -> {
        // The right magic number, a known type, and a length to run out of memory with.
        ByteBuffer frame = ByteBuffer.allocate(12).order(java.nio.ByteOrder.LITTLE_ENDIAN);
        frame.putInt(0x31564e43).putInt(8).putInt(Integer.MAX_VALUE);
        socket.write(frame.flip());
      }
      case "another run" -> result(channel, number + 1, 1).putBlock(Shape.of(1, 1), 0, 4).send();
      case "outside" ->
          result(channel, number, 1).putBlock(Shape.of(1, 1), Long.MAX_VALUE - 3, 4).send();
      case "negative" -> result(channel, number, 1).putBlock(Shape.of(1, 1), -4, 4).send();
      case "shape" -> result(channel, number, 1).putBlock(Shape.of(1 << 30, 1 << 30), 0, 4).send();
      case "no output" -> result(channel, number, 0).send();
      case "cut off" -> result(channel, number, 1).send();
      case "early" -> channel.begin(MessageType.LOADED).send();
      case "shrink" -> channel.begin(MessageType.GROW).putLong(1).send();
      default -> throw new IOException(lie);
    }
  }

  private static ControlChannel result(ControlChannel channel, long number, int outputs) {
    return channel
        .begin(MessageType.RESULT)
        .putLong(number)
        .putLong(-1)
        .putLong(Long.MAX_VALUE)
        .putLong(0)
        .putLong(0)
        .putLong(0)
        .putInt(outputs);
  }
}
