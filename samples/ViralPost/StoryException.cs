namespace ViralPost;

/// <summary>A problem that the user can solve. The message explains it.</summary>
internal sealed class StoryException(string message, Exception? innerException = null) : Exception(message, innerException);
