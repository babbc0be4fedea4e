package dev.conveyor.verticles.server;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Which rooms of the house may know which. */
final class HouseTest {

  private static final String SHELL =
      "dev\\.conveyor\\.scheduler\\."
          + "(SchedulerVerticle|WakeUp|LostBatches|Replies|ReplyTo|LocalCodec)(\\$.*)?";

  private static final Set<String> WALL_CLOCKS =
      Set.of(
          "java.lang.System.currentTimeMillis",
          "java.time.Instant.now",
          "java.time.LocalDateTime.now",
          "java.time.ZonedDateTime.now",
          "java.time.OffsetDateTime.now",
          "java.time.Clock.systemUTC",
          "java.time.Clock.systemDefaultZone",
          "java.util.Date.<init>",
          "java.util.concurrent.locks.LockSupport.parkUntil");

  private static JavaClasses house;

  @BeforeAll
  static void read() {
    house =
        new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.conveyor");
  }

  @Test
  void shouldPointFromTheActorsToTheMemoryOnly() {
    noClasses()
        .that()
        .resideInAPackage("dev.conveyor.memory..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "dev.conveyor.models..", "dev.conveyor.scheduler..", "dev.conveyor.verticles..")
        .check(house);
    noClasses()
        .that()
        .resideInAPackage("dev.conveyor.models..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.conveyor.scheduler..", "dev.conveyor.verticles..")
        .check(house);
    noClasses()
        .that()
        .resideInAPackage("dev.conveyor.scheduler..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.conveyor.verticles..")
        .check(house);
  }

  @Test
  void shouldKeepNativeCodeBelowTheScheduler() {
    noClasses()
        .that()
        .resideInAnyPackage("dev.conveyor.scheduler..", "dev.conveyor.verticles..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.bytedeco..")
        .check(house);
  }

  @Test
  void shouldKeepTheNetworkOutOfModelsAndMemory() {
    noClasses()
        .that()
        .resideInAnyPackage("dev.conveyor.memory..", "dev.conveyor.models..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.vertx..", "io.netty..")
        .check(house);
  }

  @Test
  void shouldKeepPoliciesFreeOfVertx() {
    noClasses()
        .that(resideInAPackage("dev.conveyor.scheduler..").and(not(nameMatching(SHELL))))
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.vertx..", "io.netty..")
        .check(house);
  }

  /**
   * The wall clock jumps: it is set, and leaps with the machine's. Only what people read may show
   * it; the time of the last inference is all that does.
   */
  @Test
  void shouldDecideNothingByTheWallClock() {
    noClasses()
        .that(not(nameMatching(".*\\.RecordingModelStats")))
        .should()
        .accessTargetWhere(
            describe(
                "it reads the wall clock",
                access ->
                    WALL_CLOCKS.contains(
                        access.getTargetOwner().getName() + "." + access.getTarget().getName())))
        .check(house);
  }

  @Test
  void shouldHaveNoCyclesBelowTheActors() {
    slices().matching("dev.conveyor.models.(*)..").should().beFreeOfCycles().check(house);
    slices().matching("dev.conveyor.scheduler.(*)..").should().beFreeOfCycles().check(house);
  }

  @Test
  void shouldHaveNoCyclesAmongTheRoomsOfTheActors() {
    slices().matching("dev.conveyor.verticles.(*)..").should().beFreeOfCycles().check(house);
  }
}
