package dev.conveyor.models.config;

/** A configuration value that cannot be used; the message names the key as the file writes it. */
public final class ConfigException extends RuntimeException {

  public ConfigException(String key, String problem) {
    super(key + ": " + problem);
  }
}
