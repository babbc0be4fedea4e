package dev.conveyor.verticles;

import dev.conveyor.models.ErrorCode;
import dev.conveyor.models.InferenceException;
import dev.conveyor.models.RefusalReason;
import dev.conveyor.models.config.Quota;
import dev.conveyor.models.config.Tenants;
import dev.conveyor.scheduler.InferenceRequest;
import dev.conveyor.scheduler.NanoClock;
import dev.conveyor.scheduler.admission.AdmissionRule;
import dev.conveyor.scheduler.admission.ModelLoad;
import dev.conveyor.scheduler.admission.ModelQuotas;
import dev.conveyor.scheduler.admission.TenantQuotas;
import dev.conveyor.scheduler.residency.ColdStartRefusal;
import io.vertx.core.Future;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Lets requests in, or turns them away before their bytes are read: by the load that the scheduler
 * published last, and by quotas.
 *
 * <p>Thread-safe; shared by all front ends. It asks nobody: what it needs is there to be read, so a
 * refusal costs a few hundred nanoseconds and no message. Each front end passes a request through
 * it once. The scheduler decides again when the request gets there, because others may have come in
 * meanwhile.
 */
public final class FrontDoor {

  /** HTTP header, gRPC metadata key and, without the prefix, event bus header and parameter. */
  public static final String TENANT_HEADER = "x-tenant";

  public static final String TENANT_PARAMETER = "tenant";

  private final Tenants tenants;
  private final TenantQuotas tenantQuotas;
  private final boolean hasTenantQuotas;
  private final ModelQuotas modelQuotas = new ModelQuotas();
  private final NanoClock clock;
  private final ModelActivator activator;

  /** Creates a door to models that are all loaded. */
  public FrontDoor(Tenants tenants, NanoClock clock) {
    this(tenants, clock, ModelActivator.NONE);
  }

  /**
   * Creates a door.
   *
   * @param activator loads the models of requests that are refused because that takes too long
   */
  public FrontDoor(Tenants tenants, NanoClock clock, ModelActivator activator) {
    this.tenants = tenants;
    this.tenantQuotas = new TenantQuotas(tenants);
    this.hasTenantQuotas = tenants.hasQuotas();
    this.clock = clock;
    this.activator = activator;
  }

  /**
   * Lets a request in.
   *
   * @param terms of a request whose tenant is not known yet; {@link #enterAs} follows then
   * @throws InferenceException if it has to stay outside, with the reason and the time to wait
   */
  public void enter(ServedModel model, DoorTerms terms) {
    String tenant = terms.tenant();
    long nowNs = clock.nanoTime();
    InferenceException refusal =
        model.ensemble() == null
            ? refusal(model, terms, nowNs)
            : EnsembleDoor.of(model, terms, nowNs, nowNs).refusal();
    if (refusal != null) {
      throw refused(model, refusal);
    }
    if (tenant != null) {
      takeAs(model, tenant);
    }
    long waitNs = modelQuotas.tryTake(model.name(), quota(model), nowNs);
    if (waitNs > 0) {
      if (tenant != null && hasTenantQuotas) {
        tenantQuotas.giveBack(tenant);
      }
      throw refused(
          model, overQuota(RefusalReason.MODEL_QUOTA, "model '" + model.name() + "'", waitNs));
    }
    if (tenant != null || !hasTenantQuotas) {
      refuseIfTooCold(model, terms, nowNs);
    }
  }

  private static @Nullable InferenceException refusal(
      ServedModel model, DoorTerms terms, long nowNs) {
    return refusal(model, terms, terms.untilNs(model.door().load().get(), nowNs), nowNs);
  }

  /**
   * Returns why a request has to stay outside of a model's queue; null if it may come in.
   *
   * @param untilNs by when it is to be answered, but for the model's objective
   */
  static @Nullable InferenceException refusal(
      ServedModel model, DoorTerms terms, long untilNs, long nowNs) {
    ModelLoad load = model.door().load().get().seenBy(terms.priority()).seenBy(terms.tenant());
    // Of images nobody knows how many bytes they become, which are often fewer.
    long bytes = model.images() == ImageInputs.NONE ? terms.bytes() : 0;
    InferenceException refusal =
        AdmissionRule.check(model.name(), load, 1, bytes, model.images().ahead(), untilNs, nowNs);
    if (refusal != null && load.servable() && refusal.reason() == RefusalReason.DEADLINE) {
      model.door().load().refused(nowNs);
    }
    return refusal;
  }

  /**
   * A request that is over before its model can be in memory waits for nothing; but the model is
   * loaded for those that come again. So it is asked after all quotas, and what was taken of them
   * is spent: a load may cost others their places.
   */
  private void refuseIfTooCold(ServedModel model, DoorTerms terms, long nowNs) {
    if (model.ensemble() != null) {
      refuseIfStepsAreTooCold(model, terms, nowNs);
      return;
    }
    if (model.isLoaded()) {
      return;
    }
    long deadlineNs = ColdDeadline.of(model.config(), terms, nowNs).ns();
    long answerNs = model.door().coldStart().leftNs(nowNs);
    if (deadlineNs != InferenceRequest.NO_DEADLINE && answerNs > deadlineNs - nowNs) {
      activate(model, deadlineNs);
      throw refused(
          model,
          ColdStartRefusal.late(answerNs, deadlineNs - nowNs, answerNs).asFailure(model.name()));
    }
  }

  private void refuseIfStepsAreTooCold(ServedModel ensemble, DoorTerms terms, long nowNs) {
    EnsembleDoor door = EnsembleDoor.of(ensemble, terms, nowNs, nowNs);
    InferenceException refusal = door.coldRefusal();
    if (refusal != null) {
      door.cold().forEach(model -> activate(model, door.untilNs()));
      throw refused(ensemble, refusal);
    }
  }

  private void activate(ServedModel model, long deadlineNs) {
    ColdRequest refused = new ColdRequest(0, 0, deadlineNs);
    activator.activate(model.name(), refused, Future.succeededFuture());
  }

  /**
   * Lets a request of a tenant in, which became known only after {@link #enter}.
   *
   * @param terms those of {@link #enter}, but for the bytes, which have been weighed there
   * @throws InferenceException if the tenant is over its quota, its name is too long, or the
   *     request is over before its model can be in memory
   */
  public void enterAs(ServedModel model, DoorTerms terms, String tenant) {
    try {
      takeAs(model, tenant);
    } catch (InferenceException e) {
      modelQuotas.giveBack(
          model.name(), quota(model)); // What one tenant asks for in vain is not the others' loss.
      throw e;
    }
    if (hasTenantQuotas) {
      refuseIfTooCold(model, terms, clock.nanoTime());
    }
  }

  private void takeAs(ServedModel model, String tenant) {
    if (tenant.length() > Tenants.MAX_NAME_LENGTH) {
      throw InferenceException.invalid(
          "the name of a tenant has at most %d characters, this one has %d"
              .formatted(Tenants.MAX_NAME_LENGTH, tenant.length()));
    }
    long waitNs = hasTenantQuotas ? tenantQuotas.tryTake(tenant, clock.nanoTime()) : 0;
    if (waitNs > 0) {
      String who = tenant.isEmpty() ? "clients without a tenant" : "tenant '" + tenant + "'";
      throw refused(model, overQuota(RefusalReason.TENANT_QUOTA, who, waitNs));
    }
  }

  /**
   * Lets a request go on that came in a while ago, before work is spent on it: under overload the
   * cores are better used for requests that can still be answered in time.
   *
   * @param items its batch size
   * @param call what it asks for
   * @param arrivalNs when it came in; the model's objective counts from then
   * @throws InferenceException if its answer would be late, with the reason and the time to wait
   */
  static void reconsider(ServedModel model, int items, InferCall call, long arrivalNs) {
    ModelLoad load = model.door().load().get().seenBy(call.priority()).seenBy(call.tenant());
    long untilNs = DoorTerms.untilNs(load, call.deadlineNs(), call.timeoutMicros(), arrivalNs);
    if (load.objectiveNs() > 0) {
      untilNs = InferenceRequest.earlierNs(untilNs, arrivalNs + load.objectiveNs());
    }
    InferenceException refusal =
        AdmissionRule.check(
            model.name(), load, items, 0, model.images().work(), untilNs, System.nanoTime());
    if (refusal != null) {
      throw refusal; // Whoever answers counts it.
    }
  }

  /** Returns how the tenants share a model. */
  public Tenants tenants() {
    return tenants;
  }

  private static @Nullable Quota quota(ServedModel model) {
    return model.config().extensions().admission().quota();
  }

  private static InferenceException overQuota(RefusalReason reason, String who, long waitNs) {
    return new InferenceException(
        ErrorCode.OVER_QUOTA,
        String.format(Locale.ROOT, "%s: over quota, try again in %.1f ms", who, waitNs / 1e6),
        reason,
        waitNs);
  }

  private static InferenceException refused(ServedModel model, InferenceException refusal) {
    model.countRefusal(refusal);
    return refusal;
  }
}
