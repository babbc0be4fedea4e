package dev.conveyor.models.steps;

import dev.conveyor.models.config.ConfigException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.TreeMap;

/** Finds steps by the name that ensembles use. Immutable once made, thread-safe. */
public final class Steps {

  /** Model names that begin like this are steps. */
  public static final String PREFIX = "conveyor.";

  private final Map<String, StepFactory> factories = new TreeMap<>();

  /** Takes the steps that are always there, and the factories on the class path. */
  public static Steps onClassPath() {
    List<StepFactory> all = new ArrayList<>(BuiltIn.ALL);
    ServiceLoader.load(StepFactory.class).forEach(all::add);
    return new Steps(all);
  }

  /**
   * Takes these factories.
   *
   * @throws IllegalStateException if two have one name
   */
  public Steps(Iterable<StepFactory> all) {
    for (StepFactory factory : all) {
      if (factories.put(factory.name(), factory) != null) {
        throw new IllegalStateException("two kinds of steps are named " + factory.name());
      }
    }
  }

  /** Returns whether a step's model name means a step without a model. */
  public static boolean isStep(String modelName) {
    return modelName.startsWith(PREFIX);
  }

  /**
   * Makes a step.
   *
   * @param modelName with the prefix
   * @throws ConfigException if there is no such step, or a setting is wrong
   */
  public Step create(String modelName, StepSettings settings) {
    StepFactory factory = factories.get(modelName.substring(PREFIX.length()));
    if (factory == null) {
      throw new ConfigException(
          "model_name",
          "a model, or \"" + PREFIX + "\" and one of " + factories.keySet(),
          "\"" + modelName + "\"");
    }
    Step step = factory.create(settings);
    settings.requireAllRead();
    return step;
  }
}
