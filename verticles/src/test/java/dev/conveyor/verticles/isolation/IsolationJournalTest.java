package dev.conveyor.verticles.isolation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.process.Loss;
import dev.conveyor.verticles.server.TestServer;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class IsolationJournalTest {

  private static final String EVENTS = "events";

  private final Vertx vertx = Vertx.vertx();
  private final BlockingQueue<JsonObject> events = new LinkedBlockingQueue<>();
  private final IsolationJournal journal = new IsolationJournal(vertx.eventBus(), EVENTS);

  @BeforeEach
  void listen() {
    TestServer.await(
        vertx
            .eventBus()
            .<JsonObject>consumer(EVENTS, message -> events.add(message.body()))
            .completion());
  }

  @AfterEach
  void close() {
    TestServer.await(vertx.close());
  }

  @Test
  void shouldCountAndPublishThatAClientWasGivenUp() throws Exception {
    IsolationJournal.tell(vertx.eventBus(), "http_body");

    JsonObject event = events.poll(60, TimeUnit.SECONDS);
    assertThat(event.getString("event")).isEqualTo("isolation");
    assertThat(event.getString("decision")).isEqualTo("client_cut");
    assertThat(event.getString("reason")).isEqualTo("http_body");
    assertThat(journal.counts())
        .containsExactly(
            new IsolationJournal.Count(
                new IsolationJournal.Key("", Decision.CLIENT_CUT, "http_body"), 1));
  }

  @Test
  void shouldCountAndPublishThatASpareWorkerIsLost() throws Exception {
    journal.onSpareLost(new Loss(Loss.Cause.SIGNALLED, "worker process 7 was ended"));

    JsonObject event = events.poll(60, TimeUnit.SECONDS);
    assertThat(event.getString("decision")).isEqualTo("spare_lost");
    assertThat(event.getString("reason")).isEqualTo("signalled");
    assertThat(event.getString("detail")).isEqualTo("worker process 7 was ended");
  }

  @Test
  void shouldCountAndPublishThatLeftoversWereRemovedIfThereWereAny() throws Exception {
    journal.onLeftovers(0, 0);
    assertThat(journal.counts()).isEmpty();
    journal.onLeftovers(2, 3);

    JsonObject event = events.poll(60, TimeUnit.SECONDS);
    assertThat(event.getString("decision")).isEqualTo("leftovers_removed");
    assertThat(event.getString("detail")).contains("2 directories", "3 half-written files");
  }
}
