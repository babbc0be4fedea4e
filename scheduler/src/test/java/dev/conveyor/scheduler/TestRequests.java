package dev.conveyor.scheduler;

import dev.conveyor.models.DataType;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Shape;
import dev.conveyor.models.Tensor;
import java.nio.ByteBuffer;
import java.util.List;

/** Builds requests for tests of the core, where nobody listens to the answer. */
public final class TestRequests {

  public static final long MS = 1_000_000;

  /** A start time from which every test runs over the end of the range of nanoTime. */
  public static final long T0 = Math.subtractExact(Long.MAX_VALUE, MS);

  private TestRequests() {}

  /** One request under construction; every part but the batch size has a default. */
  public static final class Builder {
    private String model = "m";
    private int items = 1;
    private int priority;
    private long timeoutMicros;
    private long deadlineNs = InferenceRequest.NO_DEADLINE;
    private Object shapeKey;
    private long arrivalNs;
    private String tenant = "";
    private int bytes = 1;

    public Builder model(String name) {
      model = name;
      return this;
    }

    public Builder items(int count) {
      items = count;
      return this;
    }

    public Builder priority(int level) {
      priority = level;
      return this;
    }

    public Builder timeoutMicros(long micros) {
      timeoutMicros = micros;
      return this;
    }

    public Builder deadlineNs(long ns) {
      deadlineNs = ns;
      return this;
    }

    public Builder shapeKey(Object key) {
      shapeKey = key;
      return this;
    }

    public Builder arrivalNs(long ns) {
      arrivalNs = ns;
      return this;
    }

    public Builder tenant(String name) {
      tenant = name;
      return this;
    }

    public Builder bytes(int count) {
      bytes = count;
      return this;
    }

    public InferenceRequest build() {
      return InferenceRequest.of(
              model,
              "1",
              List.of(Tensor.of("x", DataType.UINT8, Shape.of(bytes), ByteBuffer.allocate(bytes))),
              new ReplyTo(null, (response, failure) -> {}))
          .batchSize(items)
          .priority(priority)
          .timeoutMicros(timeoutMicros)
          .arrivalNs(arrivalNs)
          .deadlineNs(deadlineNs)
          .shapeKey(shapeKey)
          .tenant(tenant)
          .build();
    }
  }

  public static Builder request() {
    return new Builder();
  }

  public static InferenceRequest items(int count) {
    return request().items(count).build();
  }

  /** Answers a request as a front end does whose client went away. */
  public static void cancel(InferenceRequest request) {
    request.replyTo().claim(new InferenceException(ErrorCode.CANCELLED, "gone"));
  }
}
