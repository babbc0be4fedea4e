package dev.conveyor.verticles.cli;

/** Where the product's own files are: the launchers say, for those who start Java it is here. */
final class Home {

  /** Default value of the option {@code --home}. */
  static final String DEFAULT = "${sys:conveyor.home:-.}";

  private Home() {}
}
