package dev.conveyor.verticles.supervisor;

/** Told which versions serve. Called on the supervisor's context. */
interface CrewWatch {

  /** A version serves. */
  void add(Crew crew);

  /** It is about to go; also if it was never added. */
  void remove(Crew crew);
}
