namespace Cluster;

/// <summary>The results of a node's callers.</summary>
internal sealed record WorkerAnswer(int Answered, int Failed, int DifferentAnswers, string Answer, string Problems);
