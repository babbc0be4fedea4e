package dev.conveyor.verticles.bus;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.RefusalReason;
import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.LocalCodec;
import dev.conveyor.scheduler.SchedulerCommand.Note;
import dev.conveyor.scheduler.decisions.Decision;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Vertx;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class OverloadPublisherTest {

  private final Vertx vertx = Vertx.vertx();

  @AfterEach
  void close() {
    TestServer.await(vertx.close());
  }

  @Test
  void shouldNoteRefusalsAmongTheDecisions() throws InterruptedException {
    LocalCodec.registerAll(vertx);
    BlockingQueue<Note> notes = new LinkedBlockingQueue<>();
    vertx.eventBus().<Note>localConsumer(Addresses.CONTROL, note -> notes.add(note.body()));
    OverloadPublisher publisher = new OverloadPublisher(vertx.eventBus(), "conveyor");
    Map<RefusalReason, Long> refused = new EnumMap<>(RefusalReason.class);
    refused.put(RefusalReason.DEADLINE, 3L);
    refused.put(RefusalReason.QUEUE_FULL, 2L);
    publisher.overload("m", "1", Map.of(RefusalReason.DEADLINE, 1L));
    publisher.overloadEnded("m", "1", refused);

    assertThat(notes.poll(60, TimeUnit.SECONDS))
        .isEqualTo(
            new Note(
                Decision.Kind.REFUSE,
                "m",
                "1",
                "",
                "begins to turn requests away: 1 for deadline"));
    assertThat(notes.poll(60, TimeUnit.SECONDS))
        .isEqualTo(
            new Note(
                Decision.Kind.REFUSE,
                "m",
                "1",
                "",
                "turns nobody away any more, after 2 for queue_full, 3 for deadline"));
  }
}
