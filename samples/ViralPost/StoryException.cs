namespace ViralPost;

/// <summary>A problem that the user can solve; the message says how.</summary>
internal sealed class StoryException(string message, Exception? innerException = null) : Exception(message, innerException);
