namespace Cluster;

/// <summary>What a node's callers got.</summary>
internal sealed record WorkerAnswer(int Answered, int Failed, int DifferentAnswers, string Answer, string WentWrong);
