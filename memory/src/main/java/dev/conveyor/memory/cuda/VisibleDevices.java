package dev.conveyor.memory.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Explains {@code CUDA_VISIBLE_DEVICES}, which CUDA obeys in silence: what it names that is not
 * there hides everything behind it. Stateless.
 */
final class VisibleDevices {

  private VisibleDevices() {}

  /** Returns what is wrong with a value, in one line; empty if everything it names is there. */
  static Optional<String> problem(String value, List<Nvml.Unit> units) {
    if (value.isBlank()) {
      return Optional.of("%s is empty: no GPU may be used".formatted(Gpus.VISIBLE));
    }
    List<String> tokens = new ArrayList<>();
    for (String token : value.split(",", -1)) {
      tokens.add(token.strip());
    }
    for (int i = 0; i < tokens.size(); i++) {
      String token = tokens.get(i);
      if (units.stream().noneMatch(unit -> names(token, unit))) {
        return Optional.of(
            "%s=%s: \"%s\" is none of %s%s"
                .formatted(
                    Gpus.VISIBLE,
                    value,
                    token,
                    list(units),
                    i + 1 < tokens.size() ? ", and hides what is named behind it" : ""));
      }
    }
    return Optional.empty();
  }

  /** By number, or by the beginning of its UUID. */
  private static boolean names(String token, Nvml.Unit unit) {
    if (token.chars().allMatch(Character::isDigit) && !token.isEmpty()) {
      return unit.slice() < 0 && token.equals(Integer.toString(unit.index()));
    }
    return token.length() > 4 && unit.uuid().startsWith(token);
  }

  /** Returns the devices for a message. */
  static String list(List<Nvml.Unit> units) {
    return units.stream()
        .map(
            unit ->
                unit.slice() < 0
                    ? "%d (%s, %s)".formatted(unit.index(), unit.name(), unit.uuid())
                    : "%s (%s)".formatted(unit.uuid(), unit.name()))
        .collect(Collectors.joining(", "));
  }
}
