package dev.conveyor.scheduler;

import dev.conveyor.scheduler.decisions.DecisionQuery;
import dev.conveyor.scheduler.decisions.Decisions;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.MessageCodec;

/**
 * Passes a message by reference. Messages using it must stay in this JVM: send them with {@code
 * localOnly} and receive them with a local consumer.
 *
 * @param <T> the exact class of the messages
 */
public final class LocalCodec<T> implements MessageCodec<T, T> {

  private final String name;

  private LocalCodec(Class<T> type) {
    this.name = type.getName();
  }

  /** Registers the codecs of every message of this package. Call once per {@code Vertx}. */
  public static void registerAll(Vertx vertx) {
    register(vertx, InferenceRequest.class);
    register(vertx, Batch.class);
    register(vertx, BatchOutcome.class);
    register(vertx, SchedulerSnapshot.class);
    register(vertx, ModelProfile.class);
    register(vertx, DecisionQuery.class);
    register(vertx, Decisions.class);
    register(vertx, SchedulerCommand.AddModel.class);
    register(vertx, SchedulerCommand.RemoveModel.class);
    register(vertx, SchedulerCommand.SeedProfile.class);
    register(vertx, SchedulerCommand.InstanceReady.class);
    register(vertx, SchedulerCommand.InstanceGone.class);
    register(vertx, SchedulerCommand.GiveUp.class);
    register(vertx, SchedulerCommand.Note.class);
    register(vertx, SchedulerCommand.AnswerAll.class);
    register(vertx, InstanceLost.class);
    register(vertx, RetryDecision.class);
    register(vertx, RoomLent.class);
    register(vertx, HedgeDecision.class);
  }

  /** Registers one more message class. Call once per class and {@code Vertx}. */
  public static <T> void register(Vertx vertx, Class<T> type) {
    vertx.eventBus().registerDefaultCodec(type, new LocalCodec<>(type));
  }

  @Override
  public T transform(T message) {
    return message;
  }

  @Override
  public void encodeToWire(Buffer buffer, T message) {
    throw new IllegalStateException(name + " never leaves the JVM");
  }

  @Override
  public T decodeFromWire(int position, Buffer buffer) {
    throw new IllegalStateException(name + " never leaves the JVM");
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public byte systemCodecID() {
    return -1;
  }
}
