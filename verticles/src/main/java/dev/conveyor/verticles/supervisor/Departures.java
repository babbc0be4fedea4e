package dev.conveyor.verticles.supervisor;

import dev.conveyor.scheduler.Addresses;
import dev.conveyor.scheduler.SchedulerCommand;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.eventbus.DeliveryOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The instances that are taken down, alone or with their whole deployment, or were lost: they get
 * no more batches, end the one that they run, and stop.
 *
 * <p>Thread-confined to the supervisor's context. Nobody waits for one whose batch hangs: the
 * changes of its model go on, and its crew knows that a thread of it is left.
 */
final class Departures {

  /** An instance may have to end a long batch first. */
  private static final DeliveryOptions PATIENT =
      new DeliveryOptions().setLocalOnly(true).setSendTimeout(10 * 60_000L);

  /**
   * One that has begun.
   *
   * @param isWaitedFor false for one that was lost: nobody knows what its end takes
   * @param over completes when nobody is to wait any more
   */
  private record Departure(
      Crew crew,
      Crew.Member member,
      Future<Void> stopped,
      boolean isWaitedFor,
      Promise<Void> over) {}

  private final Vertx vertx;
  private final List<Departure> departures = new ArrayList<>();

  Departures(Vertx vertx) {
    this.vertx = vertx;
  }

  /**
   * Takes an instance out of its crew, whose model serves on; completes when it has stopped, or
   * hangs.
   */
  Future<Void> begin(Crew crew, Crew.Member member) {
    String key = crew.version.served().key();
    return begin(
        crew,
        member,
        vertx
            .eventBus()
            .request(
                Addresses.CONTROL, new SchedulerCommand.InstanceGone(key, member.index()), PATIENT)
            .transform(gone -> vertx.undeploy(member.deploymentId())));
  }

  /**
   * Takes every instance of a crew down that the scheduler knows no more; completes when they have
   * stopped, or hang, and those that were going before. The word that one hangs may come after the
   * scheduler forgot it.
   */
  Future<Void> beginAll(Crew crew) {
    for (Crew.Member member : crew.members()) {
      Future<Void> unused = begin(crew, member, vertx.undeploy(member.deploymentId()));
    }
    List<Future<Void>> going =
        departures.stream()
            .filter(each -> each.crew == crew && each.isWaitedFor)
            .map(each -> each.over.future())
            .toList();
    return going.isEmpty() ? Future.succeededFuture() : Future.join(going).mapEmpty();
  }

  /**
   * Stops an instance that was lost. A batch that it was given and has not begun comes back by
   * itself, with its inputs, so it is not cancelled unless it hangs.
   */
  void beginLost(Crew crew, Crew.Member member) {
    Future<Void> unused = follow(crew, member, vertx.undeploy(member.deploymentId()), false);
  }

  private Future<Void> begin(Crew crew, Crew.Member member, Future<Void> stopped) {
    Crew.Member unused = crew.lose(member.index());
    crew.board().remove(member.index());
    return follow(crew, member, stopped, true);
  }

  private Future<Void> follow(
      Crew crew, Crew.Member member, Future<Void> stopped, boolean isWaitedFor) {
    crew.busy(member.slot().device, stopped);
    Departure departure = new Departure(crew, member, stopped, isWaitedFor, Promise.promise());
    departures.add(departure);
    stopped.onComplete(
        done -> {
          departures.remove(departure);
          if (done.succeeded()) {
            departure.over.tryComplete();
          } else {
            departure.over.tryFail(done.cause());
          }
        });
    return departure.over.future();
  }

  /**
   * Asks the execution of an instance to end that hangs.
   *
   * @return empty if that instance is not being taken down
   */
  Optional<Crew.Member> hangs(Crew crew, int index, String detail) {
    Optional<Departure> found =
        departures.stream()
            .filter(each -> each.crew == crew && each.member.index() == index)
            .findFirst();
    found.ifPresent(departure -> hangs(departure, detail));
    return found.map(Departure::member);
  }

  private static void hangs(Departure departure, String detail) {
    Crew crew = departure.crew;
    Crew.Member member = departure.member;
    crew.hangs(member, detail, departure.stopped);
    member.instance().cancel();
    departure.over.tryComplete();
  }
}
