package dev.conveyor.verticles.grpc;

import dev.conveyor.memory.HeapShare;
import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.Tensor;
import dev.conveyor.scheduler.InferenceResponse;
import dev.conveyor.scheduler.ReplyTo;
import dev.conveyor.verticles.InferCall;
import dev.conveyor.verticles.metrics.ModelStats;
import dev.conveyor.verticles.metrics.ModelStats.FrameEvent;
import dev.conveyor.verticles.proto.InferParameter;
import dev.conveyor.verticles.proto.ModelInferRequest;
import dev.conveyor.verticles.proto.ModelInferResponse;
import dev.conveyor.verticles.proto.ModelStreamInferResponse;
import dev.conveyor.verticles.shm.SharedTensors;
import io.vertx.core.MultiMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One inference of a stream, from its message to its answer.
 *
 * <p>Not thread-safe: owned by the event loop of the stream. Holds memory for its message until the
 * inference has ended, and the outputs until the answer is written.
 */
final class StreamItem implements ReplyTo.Handler {

  /** Told that the answer, or the failure, is there. */
  interface Settled {
    void accept(StreamItem item, boolean good);
  }

  private static final InferParameter TRUE = InferParameter.newBuilder().setBoolParam(true).build();

  private final InferRoute route;
  private final ModelInferRequest message;
  private final Settled settled;
  private final @Nullable ModelStats stats;
  private final Holdings held = new Holdings();
  private @Nullable ReplyTo replyTo;
  private @Nullable InferenceException failure;
  private @Nullable InferenceResponse response;
  private ModelStreamInferResponse answer = ModelStreamInferResponse.getDefaultInstance();
  private List<RequestedOutput> outputs = List.of();
  private boolean abandoned;
  private long number;

  /**
   * Takes a message.
   *
   * @param arrived what it counted for while it came; taken over
   */
  StreamItem(
      InferRoute route, ModelInferRequest message, @Nullable HeapShare arrived, Settled settled) {
    this.route = route;
    this.message = message;
    this.settled = settled;
    this.stats = route.stats(message);
    count(FrameEvent.RECEIVED);
    try {
      held.share = route.hold(message, arrived);
    } catch (InferenceException noMemory) {
      failure = noMemory;
    }
  }

  long number() {
    return number;
  }

  void number(long assigned) {
    number = assigned;
  }

  /** Has it fail when its turn comes. The first reason counts. */
  void refuse(InferenceException why) {
    if (failure == null) {
      failure = why;
    }
  }

  void submit(MultiMap metadata, long deadlineNs, String trace) {
    if (failure != null) {
      fail(failure);
      return;
    }
    try {
      String tenant = route.enter(metadata, message, deadlineNs);
      outputs = RequestedOutput.of(message, route.catalog());
      SharedTensors tensors = route.shared(message, outputs);
      held.shared = tensors;
      InferCall call = GrpcInferCodec.decode(message, deadlineNs, tenant, trace, tensors);
      tensors
          .read(route.vertx())
          .onComplete(read -> submit(call), unread -> refuse(call, route.unread(message, unread)));
    } catch (RuntimeException e) {
      held.discardShared();
      fail(GrpcErrors.of(e));
    }
  }

  private void submit(InferCall call) {
    if (abandoned) {
      refuse(call, new InferenceException(ErrorCode.CANCELLED, "the stream ended"));
    } else {
      replyTo = route.infer(call, this);
    }
  }

  private void refuse(InferCall call, InferenceException why) {
    call.inputs().forEach(Tensor::close);
    held.closeShared();
    failUnlessAbandoned(why);
  }

  @Override
  public void handle(@Nullable InferenceResponse result, @Nullable InferenceException why) {
    held.release();
    if (abandoned || result == null) {
      held.closeShared();
      if (result != null) {
        result.close();
      } else if (!abandoned) {
        fail(why == null ? GrpcErrors.of(new NullPointerException("outcome")) : why);
      }
    } else {
      held.writeShared(route.vertx(), result, this::answerWith, this::failUnlessAbandoned);
    }
  }

  private void answerWith(InferenceResponse result) {
    if (abandoned) {
      result.close();
      return;
    }
    response = result;
    try {
      ModelInferResponse.Builder built =
          GrpcInferCodec.encode(message.getId(), result, outputs)
              .putParameters("triton_final_response", TRUE);
      answer = ModelStreamInferResponse.newBuilder().setInferResponse(built).build();
    } catch (RuntimeException e) {
      fail(GrpcErrors.of(e));
      return;
    }
    settled.accept(this, true);
  }

  private void failUnlessAbandoned(InferenceException why) {
    if (!abandoned) {
      fail(why);
    }
  }

  private void fail(InferenceException why) {
    held.release();
    failure = why;
    answer =
        ModelStreamInferResponse.newBuilder()
            .setErrorMessage(String.valueOf(why.getMessage()))
            .setInferResponse(
                GrpcErrors.explained(ModelInferResponse.newBuilder().setId(message.getId()), why))
            .build();
    settled.accept(this, false);
  }

  /** Returns the answer; it shares memory with the outputs until {@link #delivered}. */
  ModelStreamInferResponse answer() {
    return answer;
  }

  void delivered() {
    count(failure == null ? FrameEvent.ANSWERED : FrameEvent.FAILED);
    closeResponse();
  }

  /** Gives up a message that was never sent to the model; returns what to tell the client. */
  ModelStreamInferResponse drop() {
    count(FrameEvent.DROPPED);
    held.release();
    return ModelStreamInferResponse.newBuilder()
        .setErrorMessage("dropped: frames come faster than the model takes them")
        .setInferResponse(
            ModelInferResponse.newBuilder()
                .setId(message.getId())
                .putParameters("frame_dropped", TRUE)
                .putParameters("triton_final_response", TRUE))
        .build();
  }

  void abandon(String reason) {
    abandoned = true;
    count(FrameEvent.ABANDONED);
    closeResponse();
    if (replyTo == null) {
      held.release();
    } else {
      route.abandon(replyTo, message, ErrorCode.CANCELLED, reason);
    }
  }

  private void closeResponse() {
    if (response != null) {
      response.close();
      response = null;
    }
  }

  private void count(FrameEvent event) {
    if (stats != null) {
      stats.onFrame(event);
    }
  }
}
