package dev.conveyor.verticles.server;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Which rooms of the house may know which. */
final class HouseTest {

  private static final String SHELL =
      "dev\\.conveyor\\.scheduler\\.(SchedulerVerticle|LostBatches|Replies|ReplyTo|LocalCodec)(\\$.*)?";

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
