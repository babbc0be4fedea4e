package dev.conveyor.models.config;

import static dev.conveyor.models.config.Keys.under;

import dev.conveyor.models.proto.ModelExtensions;
import dev.conveyor.models.proto.QuotaSettings;
import dev.conveyor.models.proto.ServerSettings;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads and writes what is configured about admission, of models and of tenants. Stateless. */
final class AdmissionMapper {

  private AdmissionMapper() {}

  static Admission admission(ModelExtensions.Admission admission) {
    Admission defaults = Admission.DEFAULT;
    return new Admission(
        admission.getMaxQueueBytes(),
        Duration.of(admission.getTargetQueueDelayMicroseconds(), ChronoUnit.MICROS),
        admission.hasOverloadIntervalMicroseconds()
            ? Duration.of(admission.getOverloadIntervalMicroseconds(), ChronoUnit.MICROS)
            : defaults.overloadInterval(),
        admission.hasQuota() ? under("quota", () -> quota(admission.getQuota())) : null);
  }

  static ModelExtensions.Admission toProto(Admission admission) {
    ModelExtensions.Admission.Builder proto =
        ModelExtensions.Admission.newBuilder()
            .setMaxQueueBytes(admission.maxQueueBytes())
            .setTargetQueueDelayMicroseconds(micros(admission.targetQueueDelay()))
            .setOverloadIntervalMicroseconds(micros(admission.overloadInterval()));
    Quota quota = admission.quota();
    if (quota != null) {
      proto.setQuota(
          QuotaSettings.newBuilder()
              .setRequestsPerSecond(quota.requestsPerSecond())
              .setBurst(quota.burst()));
    }
    return proto.build();
  }

  static Tenants tenants(ServerSettings.Tenants tenants) {
    Tenants defaults = Tenants.DEFAULT;
    Map<String, Tenants.Tenant> named = new HashMap<>();
    tenants
        .getNamedMap()
        .forEach(
            (name, tenant) -> named.put(name, under("named." + name, () -> tenant(name, tenant))));
    return new Tenants(
        tenants.hasMaxTracked() ? tenants.getMaxTracked() : defaults.maxTracked(),
        under("others", () -> tenant("", tenants.getOthers())),
        named);
  }

  private static Tenants.Tenant tenant(String name, ServerSettings.Tenant tenant) {
    return new Tenants.Tenant(
        tenant.hasWeight() ? tenant.getWeight() : Tenants.DEFAULT.of(name).weight(),
        tenant.hasQuota() ? under("quota", () -> quota(tenant.getQuota())) : null);
  }

  private static @Nullable Quota quota(QuotaSettings quota) {
    return quota.hasBurst()
        ? new Quota(quota.getRequestsPerSecond(), quota.getBurst())
        : Quota.perSecond(quota.getRequestsPerSecond());
  }

  private static long micros(Duration duration) {
    return duration.toNanos() / 1000;
  }
}
