namespace ViralPost;

/// <summary>What the user can do something about; its message is all there is to say.</summary>
internal sealed class StoryException(string message, Exception? innerException = null) : Exception(message, innerException);
