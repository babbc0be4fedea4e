package dev.conveyor.scheduler;

import static dev.conveyor.scheduler.TestRequests.MS;
import static dev.conveyor.scheduler.TestRequests.T0;
import static org.assertj.core.api.Assertions.assertThat;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.config.Admission;
import dev.conveyor.models.config.DynamicBatching;
import dev.conveyor.models.config.Hedging;
import dev.conveyor.models.config.ServiceLevel;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.models.config.Tenants.Tenant;
import dev.conveyor.scheduler.batching.Rejection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/**
 * Random events against the core where requests of several tenants run twice: because they take
 * long, or because their instance was lost. The test does what the actor does about both.
 */
final class SecondRunsPropertyTest {

  private static final int CORES = 3;
  private static final int MODELS = 2;
  private static final double HEDGED_SHARE = 0.3;

  /** Batches after which costs are known. */
  private static final int LEARNED = 20;

  private static final List<String> TENANTS = List.of("", "gold", "lead", "tin");
  private static final Tenants WEIGHTS =
      new Tenants(2, new Tenant(1, null), Map.of("gold", new Tenant(3, null)));

  @Property(tries = 300)
  void shouldAnswerEverythingOnceHoweverOftenItRuns(@ForAll long seed) {
    run(seed);
  }

  @Example
  void shouldRunTwiceForEitherReasonInTheseEvents() {
    int hedged = 0;
    int repeated = 0;
    for (long seed = 0; seed < 50; seed++) {
      for (Book book : run(seed).books.values()) {
        hedged += book.hedged;
        repeated += book.repeated;
      }
    }
    assertThat(hedged).isGreaterThan(100);
    assertThat(repeated).isGreaterThan(100);
  }

  /**
   * Of two tenants that always have requests waiting, neither is ever ahead of its share by more
   * than what start-time fair queueing allows, a request of each, and one batch, which is not
   * divided. Costs are proportional to items, so items stand for device time.
   */
  @Property(tries = 200)
  void shouldServeNoTenantBeyondItsShare(@ForAll long seed) {
    Random random = new Random(seed);
    int largest = 1 + random.nextInt(8);
    double weight = 1 + random.nextInt(4);
    Tenants tenants = new Tenants(2, new Tenant(1, null), Map.of("gold", new Tenant(weight, null)));
    Scheduler scheduler = new Scheduler(List.of(DeviceSpec.cpu("cpu", 1)), tenants);
    scheduler.addModel(
        new ModelPlan(
            "m", "1", largest, Optional.of(DynamicBatching.DEFAULT), 1, 0, Admission.DEFAULT),
        T0);
    scheduler.addInstance(new InstanceRef("m/1", 0, "cpu", 1), T0);
    long nowNs = T0;
    double ahead = 0;
    for (int i = 0; i < 2 * largest; i++) {
      submit(scheduler, "gold", 1 + random.nextInt(largest), nowNs);
      submit(scheduler, "lead", 1 + random.nextInt(largest), nowNs);
    }
    for (int batch = 0; batch < 300; batch++) {
      Assignment next = Objects.requireNonNull(scheduler.poll(nowNs));
      for (InferenceRequest request : next.batch().requests()) {
        boolean gold = request.tenant().equals("gold");
        ahead += gold ? request.batchSize() / weight : -request.batchSize();
        submit(scheduler, request.tenant(), 1 + random.nextInt(largest), nowNs);
      }
      long busyNs = next.batch().items() * MS;
      nowNs += busyNs;
      scheduler.onOutcome(
          next, new BatchOutcome(true, next.batch().items(), 0, 0, busyNs, 0, busyNs), nowNs);
      if (batch == LEARNED) {
        ahead = 0;
      }
      assertThat(ahead).isBetween(-3.0 * largest, 3.0 * largest);
    }
  }

  private static void submit(Scheduler scheduler, String tenant, int items, long nowNs) {
    InferenceRequest request =
        TestRequests.request().tenant(tenant).items(items).arrivalNs(nowNs).build();
    assertThat(scheduler.submit(request, nowNs)).isNull();
  }

  private static Run run(long seed) {
    Run run = new Run(new Random(seed));
    for (int step = 0; step < 400; step++) {
      run.step();
    }
    run.finish();
    return run;
  }

  /** What the test counts beside the scheduler, per model. */
  private static final class Book {
    int runs;
    int hedged;
    int repeated;
    int answered;
  }

  private static final class Run {
    private final Random random;
    private final Scheduler scheduler =
        new Scheduler(List.of(DeviceSpec.cpu("cpu", CORES)), WEIGHTS);
    private final List<ModelPlan> plans = new ArrayList<>();
    private final Map<String, Book> books = new HashMap<>();
    private final List<Assignment> running = new ArrayList<>();

    /** Taken, and not answered yet. */
    private final Set<ReplyTo> open = new HashSet<>();

    private int nextIndex;
    private long nowNs = T0;

    Run(Random random) {
      this.random = random;
      for (int i = 0; i < MODELS; i++) {
        ModelPlan plan = plan("m" + i);
        plans.add(plan);
        books.put(plan.key(), new Book());
        scheduler.addModel(plan, nowNs);
        addInstance(plan);
        addInstance(plan);
      }
    }

    void step() {
      ModelPlan plan = plans.get(random.nextInt(plans.size()));
      switch (random.nextInt(12)) {
        case 0, 1, 2, 3 -> submit(plan);
        case 4, 5 -> nowNs += random.nextInt((int) (6 * MS));
        case 6 -> cancelOne();
        case 7 -> loseOne();
        case 8 -> addInstance(plan);
        default -> endOne();
      }
      decide();
    }

    void finish() {
      plans.forEach(this::addInstance);
      decide();
      for (int turns = 0; !running.isEmpty(); turns++) {
        assertThat(turns).as("comes to its end").isLessThan(10_000);
        end(running.remove(0));
        nowNs += 20 * MS;
        decide();
      }
      assertThat(open).as("nothing is lost").isEmpty();
      assertThat(scheduler.snapshot(nowNs).devices().get(0).used()).isZero();
      for (ModelPlan plan : plans) {
        assertThat(scheduler.isDrained(plan.key())).isTrue();
      }
    }

    private void submit(ModelPlan plan) {
      InferenceRequest request =
          TestRequests.request()
              .model(plan.name())
              .tenant(TENANTS.get(random.nextInt(TENANTS.size())))
              .items(1 + random.nextInt(plan.maxBatchSize()))
              .arrivalNs(nowNs)
              .deadlineNs(
                  random.nextInt(4) == 0
                      ? nowNs + random.nextInt((int) (30 * MS))
                      : InferenceRequest.NO_DEADLINE)
              .build();
      if (scheduler.submit(request, nowNs) == null) {
        assertThat(open.add(request.replyTo())).isTrue();
      }
    }

    private void cancelOne() {
      ReplyTo one = open.stream().skip(random.nextInt(1 + open.size())).findFirst().orElse(null);
      if (one != null) {
        answer(one, new InferenceException(ErrorCode.CANCELLED, "gone"));
        plans.forEach(plan -> scheduler.sweep(plan.name()));
      }
    }

    private void endOne() {
      if (!running.isEmpty()) {
        end(running.remove(random.nextInt(running.size())));
      }
    }

    private void end(Assignment ended) {
      Batch batch = ended.batch();
      for (InferenceRequest request : batch.requests()) {
        answer(request.replyTo(), new InferenceResponse(request.model(), "1", List.of()));
        request.close();
      }
      book(ended).answered += batch.requests().size();
      long busyNs = MS + random.nextInt((int) MS);
      scheduler.onOutcome(
          ended, new BatchOutcome(true, batch.items(), 0, 0, busyNs, 0, busyNs), nowNs);
    }

    private void loseOne() {
      if (running.isEmpty()) {
        return;
      }
      Assignment lost = running.remove(random.nextInt(running.size()));
      assertThat(scheduler.onLost(lost, nowNs)).isTrue();
      for (InferenceRequest request : lost.batch().requests()) {
        if (!request.replyTo().isDone() && !request.runsElsewhere()) {
          runAgain(lost, request);
        }
      }
    }

    private void runAgain(Assignment lost, InferenceRequest request) {
      if (scheduler.refuseRetry(request, nowNs) == null) {
        InferenceRequest again = request.repeat();
        book(lost).repeated++;
        checkRetries(book(lost));
        if (scheduler.submit(again, nowNs) == null) {
          return;
        }
      }
      answer(request.replyTo(), new InferenceException(ErrorCode.UNAVAILABLE, "lost"));
    }

    /** Ten a second, one for five that were answered, and what was kept at the beginning. */
    private void checkRetries(Book book) {
      double seconds = (nowNs - T0) / 1e9;
      assertThat((double) book.repeated)
          .isLessThanOrEqualTo(100 + 10 * seconds + 0.2 * book.answered);
    }

    private void answer(ReplyTo replyTo, Object outcome) {
      if (replyTo.claim(outcome)) {
        assertThat(open.remove(replyTo)).as("answered once, and only what was taken").isTrue();
      }
    }

    private void addInstance(ModelPlan plan) {
      scheduler.addInstance(new InstanceRef(plan.key(), nextIndex++, "cpu", 1), nowNs);
    }

    private void decide() {
      for (Assignment next = scheduler.poll(nowNs); next != null; next = scheduler.poll(nowNs)) {
        takeRejected();
        check(next);
        running.add(next);
        for (InferenceRequest request : next.batch().requests()) {
          request.triedIn(next.batch().id());
        }
      }
      takeRejected();
      assertThat(running.size()).isLessThanOrEqualTo(CORES);
    }

    private void takeRejected() {
      for (Rejection rejection : scheduler.takeRejected()) {
        answer(rejection.request().replyTo(), rejection.failure());
      }
    }

    private void check(Assignment next) {
      int requests = next.batch().requests().size();
      Book book = book(next);
      Assignment slow = next.hedgeOf;
      if (slow == null) {
        book.runs += requests;
      } else {
        book.hedged += requests;
        assertThat(running).contains(slow);
        assertThat(next.instance()).isNotEqualTo(slow.instance());
        assertThat((double) book.hedged).isLessThanOrEqualTo(HEDGED_SHARE * book.runs + 1e-6);
      }
      for (InferenceRequest request : next.batch().requests()) {
        assertThat(request.replyTo().isDone()).as("nobody waits for it").isFalse();
        long others = running.stream().filter(other -> runs(other, request)).count();
        assertThat(others).as("executions under way").isEqualTo(slow == null ? 0 : 1);
      }
    }

    private static boolean runs(Assignment assignment, InferenceRequest request) {
      return assignment.batch().requests().stream()
          .anyMatch(other -> other.replyTo() == request.replyTo());
    }

    private Book book(Assignment assignment) {
      return books.get(assignment.instance().key());
    }

    private ModelPlan plan(String name) {
      Duration objective = Duration.ofMillis(random.nextBoolean() ? 0 : 40);
      return new ModelPlan(
          name,
          "1",
          1 + random.nextInt(8),
          Optional.of(DynamicBatching.DEFAULT),
          1 + random.nextInt(3),
          50,
          Admission.DEFAULT,
          new ServiceLevel(
              objective,
              99,
              ServiceLevel.DEFAULT.priorityClass(),
              ServiceLevel.DEFAULT.priorityAgeing()),
          new Hedging(50, HEDGED_SHARE));
    }
  }
}
